import { expect, it } from 'vitest';
import { viewOf } from '../condition-rows.js';
import { panelsOf } from '../panels.js';
import { syntheticStudy } from '../study.fixture.js';
import { costFigure } from './costs.js';

interface Entry {
  readonly text: string;
  readonly y: number;
  readonly isHead: boolean;
}

/** The entries of the key of a study with this reference, from top to bottom. */
function keyOf(reference: string): Entry[] {
  const study = syntheticStudy({ epochs: 2 });
  const key = study.conditions.find(({ name }) => name === reference)?.key ?? expect.fail(`no condition ${reference}`);
  const view = viewOf({ ...study, reference: key });
  const entries: Entry[] = [];
  JSON.stringify(costFigure(view, panelsOf(view))?.panels.at(-1), (_, value) => {
    if (typeof value?.text === 'string' && typeof value.isHead === 'boolean') entries.push(value);
    return value;
  });
  return entries;
}

/** Heads of the groups in which a condition stands. */
function headsOf(entries: readonly Entry[], condition: string): string[] {
  const order = [...new Map(entries.map((entry) => [entry.text, entry])).values()].sort((a, b) => a.y - b.y);
  let head = '';
  return order.flatMap(({ text, isHead }) => {
    if (isHead) head = text;
    return text.endsWith(condition) ? [head] : [];
  });
}

it('calls the reference end to end only if it is', () => {
  const local = 'DGL, K = 4';
  const heads = headsOf(keyOf(local), local);
  expect(heads).not.toEqual([]);
  expect(heads).not.toContain('end to end');
  expect(headsOf(keyOf('end to end'), 'end to end')).not.toEqual([]);
});
