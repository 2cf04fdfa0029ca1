import type { Study } from '@localgrad/experiments';
import { expect } from 'vitest';
import { viewOf } from './condition-rows.js';
import { findings } from './findings.js';
import { type ExpectedRow, expectedEstimate, expectedOf, type TestedPair } from './recomputed.fixture.js';

export type Tested = Pick<TestedPair, 'mean' | 'half' | 'adjusted'>;

const plain = (text: string) => text.replaceAll('\u00a0', ' ').replaceAll('−', '-');
/** Numbers in a text, in their order. */
export const numbers = (text: string) => (text.match(/-?\d+(\.\d+)?(e[+-]?\d+)?/g) ?? []).map(Number);
/** NaN without values. */
export const mean = (values: Iterable<number>) => expectedEstimate([...values])?.mean ?? Number.NaN;

/** What the results say, by other means than the report's. */
export class Claims {
  readonly study: Study;
  readonly expected: ReturnType<typeof expectedOf>;
  readonly sentences: readonly { readonly text: string; readonly details: readonly string[] }[];
  readonly sign: number;
  readonly scale: number;

  constructor(study: Study) {
    this.study = study;
    this.expected = expectedOf(study);
    this.sentences = findings(viewOf(study)).map(({ text, details }) => ({
      text: plain(text),
      details: details.map(plain),
    }));
    this.sign = this.expected.lowerIsBetter ? -1 : 1;
    this.scale = ['accuracy', 'meanIoU'].includes(this.expected.metric) ? 100 : 1;
  }

  /** The sentence that matches. */
  find(pattern: RegExp) {
    return this.sentences.find(({ text }) => pattern.test(text));
  }

  verdict({ mean, adjusted }: Tested): 'better' | 'worse' | 'open' | 'untested' {
    if (adjusted === null) return 'untested';
    if (adjusted >= 0.05) return 'open';
    return this.sign * mean > 0 ? 'better' : 'worse';
  }

  count(differences: readonly Tested[]) {
    const of = (verdict: string) => differences.filter((one) => this.verdict(one) === verdict).length;
    return {
      better: of('better'),
      worse: of('worse'),
      open: of('open'),
      untested: of('untested'),
      all: differences.length,
    };
  }

  /** That a text ends with this difference, its interval and its p value. */
  expectDifference(text: string, { mean: difference, half, adjusted }: Tested): void {
    const [, shown = '', unit = '', rest = ''] = /([+-][\d.e+-]+)( points)? \(([^()]*)\)[^()]*$/.exec(text) ?? [];
    expect(unit, text).toBe(this.scale === 100 ? ' points' : '');
    this.expectValue(shown, difference, text);
    if (half === null) expect(rest, text).toBe('not tested');
    else {
      const [, low = '', high = '', relation = '', p = ''] =
        /^95 % CI ([+-][\d.e+-]+) to ([+-][\d.e+-]+), p ([<=]) ([\d.]+)/.exec(rest) ?? [];
      this.expectValue(low, difference - half, text);
      this.expectValue(high, difference + half, text);
      if (relation === '<') expect(adjusted, text).toBeLessThan(Number(p) + 1e-6);
      else expect(Math.abs(Number(p) - (adjusted ?? Number.NaN)), text).toBeLessThanOrEqual(0.000501);
      // The shown p value says what the words say.
      if (relation === '=' && Math.abs((adjusted ?? 1) - 0.05) > 1e-6)
        expect(Number(p) < 0.05, text).toBe((adjusted ?? 1) < 0.05);
    }
  }

  expectValue(shown: string, value: number, text: string): void {
    const tolerance = this.scale === 100 ? 0.00501 : 0.00501 * Math.max(Math.abs(value), 1e-12) + 1e-9;
    expect(
      Math.abs(Number(shown) - this.scale * value),
      `${shown} for ${this.scale * value}: ${text}`,
    ).toBeLessThanOrEqual(tolerance + 1e-5 * Math.abs(value));
  }

  rowsWith(value: string): readonly ExpectedRow[] {
    return this.expected.rows.filter(({ condition }) => condition.labels.add === value);
  }

  get values(): string[] {
    return [...new Set(this.expected.rows.flatMap(({ condition }) => condition.labels.add ?? []))];
  }
}
