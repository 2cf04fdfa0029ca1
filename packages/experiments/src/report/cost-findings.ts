import type { ConditionRow, StudyView } from './condition-rows.js';
import { atEqualCompute } from './curves.js';
import { paretoFront } from './figures/pareto.js';
import { type Finding, mostAccurate, mostShown, reaching } from './finding.js';
import { bytes, capital, duration, listed, operations, percent, times } from './text/wording.js';

/** What conditions that reach the reference cost against it, and against the same with recomputed activations. */
export function costs(view: StudyView): Finding[] {
  const { rows, reference, recomputed } = view;
  if (reference === null) return [];
  const there = reaching(view);
  const others = rows.filter((row) => row !== reference && row !== recomputed && row.last !== null);
  const shown = there.length > 0 ? mostAccurate(there) : mostAccurate(others).slice(0, 1);
  const details = [recomputed, ...shown].flatMap((row) => {
    if (row === null) return [];
    const ratios = [
      costAgainst(row, reference),
      recomputed === null || row === recomputed ? null : costAgainst(row, recomputed),
    ];
    const known = ratios.filter((text) => text !== null);
    return known.length === 0 ? [] : [`${row.condition.name}: ${known.join('; ')}`];
  });
  if (details.length === 0) return [];
  const who =
    there.length > mostShown
      ? `the ${mostShown} most accurate conditions that reach it`
      : there.length > 0
        ? 'the conditions that reach it'
        : 'the most accurate other condition';
  const { peakBytes, seconds } = reference;
  return [
    {
      text:
        `${capital(reference.condition.name)} costs ${bytes(peakBytes)} at the peak and ${duration(seconds?.mean ?? null)} of training steps. ` +
        `What ${who} ${there.length > 0 ? 'cost' : 'costs'}${recomputed === null ? '' : ', and the same network with recomputed activations'}:`,
      details,
    },
  ];
}

function costAgainst(row: ConditionRow, other: ConditionRow): string | null {
  if (row.peakBytes === null || other.peakBytes === null || row.seconds === null || other.seconds === null) return null;
  return `${times(row.peakBytes / other.peakBytes)} the memory and ${times(row.seconds.mean / other.seconds.mean)} the time of ${other.condition.name}`;
}

/** What nothing beats for less, by each kind of cost: whole runs, each with its own schedule. */
export function worthTheirCost({ rows }: StudyView): Finding[] {
  const tested = rows.filter(({ last }) => last !== null);
  if (tested.length < 2) return [];
  const details = costKinds.flatMap(({ name, valueOf, wordsOf }) => {
    const points = tested.flatMap((row) => {
      const x = valueOf(row);
      return x === null || row.last === null ? [] : [{ row, x, y: row.last.mean }];
    });
    const front = paretoFront(points).map(({ row, x, y }) => `${row.condition.name} (${wordsOf(x)}, ${percent(y)})`);
    return front.length === 0 ? [] : [`by ${name}: ${listed(front)}`];
  });
  return [
    {
      text: 'No other condition has a mean as high for less than these, from cheap to dear. All others cost more than one that is as accurate.',
      details,
    },
  ];
}

const costKinds: readonly {
  readonly name: string;
  readonly valueOf: (row: ConditionRow) => number | null;
  readonly wordsOf: (value: number) => string;
}[] = [
  { name: 'peak memory', valueOf: ({ peakBytes }) => peakBytes, wordsOf: bytes },
  { name: 'training time', valueOf: ({ seconds }) => seconds?.mean ?? null, wordsOf: duration },
  {
    name: 'compute of the whole run',
    valueOf: ({ work }) => work,
    wordsOf: (work) => `${operations(work)} multiply-accumulates`,
  },
];

/** What each condition has reached with the compute of the cheapest one. */
export function equalCompute({ rows }: StudyView): Finding[] {
  const equal = atEqualCompute(rows);
  if (equal === null) return [];
  const { budget, reached } = equal;
  const details = rows
    .flatMap((row) => {
      const point = reached.get(row.condition.key);
      return point === undefined ? [] : [{ row, point }];
    })
    .sort((a, b) => b.point.mean - a.point.mean)
    .slice(0, mostShown)
    .map(({ row, point }) => `${row.condition.name}: ${percent(point.mean)} after epoch ${point.epoch}`);
  return [
    {
      text:
        `At equal compute, ${operations(budget)} multiply-accumulates as the cheapest condition does in all, the most accurate so far ` +
        'are those below. The others are stopped in the middle of their learning-rate schedules, which counts against them.',
      details,
    },
  ];
}
