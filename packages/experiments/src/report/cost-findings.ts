import type { ConditionRow, StudyView } from './condition-rows.js';
import { atEqualCompute } from './curves.js';
import { type Finding, mostAccurate, mostShown, reaching } from './finding.js';
import { bytes, capital, duration, operations, percent, times } from './text/wording.js';

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
