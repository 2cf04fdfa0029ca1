import { createRandom } from '@localgrad/nn/random';
import type { ConfigIssue, YamlDocument } from '@localgrad/runs';
import type { ExperimentInput } from './experiment-schema.js';
import { placesIn } from './templates.js';

type Search = NonNullable<ExperimentInput['search']>;
type Range = Search['ranges'][string];
type Scalar = string | number | boolean;

/** Values drawn for one sample of a random search. */
export interface Sample {
  /** `sample` and each range, for names and reports; empty without a search. */
  readonly labels: Readonly<Record<string, string>>;
  /** Values of config keys. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Values that are put into places of texts. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Name of the factor that numbers the samples. */
export const sampleFactor = 'sample';

/** Significant digits of drawn numbers. */
const digits = 4;

/** How often a sample that repeats an earlier one is drawn again. */
const mostAttempts = 1000;

/** Names of the factors that a search adds. */
export function searchFactors({ search }: ExperimentInput): string[] {
  return search === undefined ? [] : [sampleFactor, ...Object.keys(search.ranges)];
}

/** Ranges whose name is a place in a text (`{window}`) rather than a config key. */
export function textRanges({ search, base, factors }: ExperimentInput): ReadonlySet<string> {
  const levels = Object.values(factors).flatMap((values) => Object.values(values));
  const used = new Set(
    [...Object.values(base), ...levels].flatMap((text) => (typeof text === 'string' ? placesIn(text) : [])),
  );
  return new Set(Object.keys(search?.ranges ?? {}).filter((name) => used.has(name)));
}

/**
 * The samples of an experiment; one without values if it has no search. Each value has a random sequence of its own, so
 * further samples and ranges leave the values of the earlier ones as they are.
 */
export function samplesOf(document: YamlDocument, input: ExperimentInput): Sample[] {
  const { search } = input;
  if (search === undefined) return [{ labels: {}, config: {}, texts: {} }];
  checkRanges(document, input, search);
  const texts = textRanges(input);
  const seen = new Set<string>();
  return Array.from({ length: search.samples }, (_, index): Sample => {
    const drawn = drawNew(document, search, index + 1, seen);
    const labels = drawn.map(([name, value]) => [name, String(value)] as const);
    return {
      labels: { [sampleFactor]: String(index + 1), ...Object.fromEntries(labels) },
      config: Object.fromEntries(drawn.filter(([name]) => !texts.has(name))),
      texts: Object.fromEntries(labels.filter(([name]) => texts.has(name))),
    };
  });
}

function drawNew(document: YamlDocument, search: Search, sample: number, seen: Set<string>): [string, Scalar][] {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const drawn = Object.entries(search.ranges).map(([name, range]): [string, Scalar] => {
      const again = attempt === 0 ? '' : `/${attempt}`;
      return [name, draw(range, createRandom(search.seed, `search/${name}/${sample}${again}`).uniform())];
    });
    const key = JSON.stringify(drawn);
    if (seen.has(key)) continue;
    seen.add(key);
    return drawn;
  }
  const message = `only ${seen.size} different samples were found in these ranges; allowed: at most that many samples`;
  return document.fail([{ path: ['search', 'samples'], isKey: false, isComplete: true, message }]);
}

/** @param share in [0, 1) */
function draw(range: Range, share: number): Scalar {
  if (Array.isArray(range)) return range[Math.floor(share * range.length)] ?? '';
  const { from, to, scale, step } = range;
  if (step !== undefined) {
    const count = Math.floor((to - from) / step + 1e-9) + 1;
    return rounded(from + step * Math.floor(share * count), 12);
  }
  const value = scale === 'log' ? from * (to / from) ** share : from + (to - from) * share;
  return Math.min(to, Math.max(from, rounded(value, digits)));
}

const rounded = (value: number, places: number) => Number(value.toPrecision(places));

function checkRanges(document: YamlDocument, input: ExperimentInput, search: Search): void {
  const issues = Object.entries(search.ranges).flatMap(([name, range]): ConfigIssue[] => {
    const problem = rangeProblem(name, range, input);
    return problem === undefined
      ? []
      : [{ path: ['search', 'ranges', name], isKey: false, isComplete: true, message: `${name}: ${problem}` }];
  });
  if (issues.length > 0) document.fail(issues);
}

function rangeProblem(name: string, range: Range, { factors, grid }: ExperimentInput): string | undefined {
  if (name === sampleFactor) return `'${sampleFactor}' numbers the samples; choose another name`;
  if (Object.hasOwn(factors, name) || Object.hasOwn(grid, name)) return 'is a factor already; name it in one place';
  if (Array.isArray(range)) return undefined;
  const { from, to, scale, step } = range;
  if (from >= to) return `from ${from} to ${to}; allowed: a higher 'to'`;
  if (scale === 'log' && from <= 0) return `from ${from}; allowed with scale log: numbers above 0`;
  if (scale === 'log' && step !== undefined) return "has both 'step' and scale log; remove one of them";
  if (step !== undefined && step > to - from) return `step ${step}; allowed: at most ${to - from}, the whole range`;
  return undefined;
}
