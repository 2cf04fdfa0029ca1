import { advantage } from '@localgrad/train';
import { type ConditionRow, isEndToEnd, type StudyView } from './condition-rows.js';
import { known, significance } from './estimates.js';
import {
  bestFirst,
  differenceText,
  type Finding,
  mostShown,
  rowsOf,
  settingOf,
  type Verdict,
  verdictOf,
} from './finding.js';
import { frontierOf } from './frontier.js';
import { bytes, capital, counted, decimals, duration, listed, operations, times } from './text/wording.js';

/** Costs of conditions relative to the reference, and to the reference with activation recomputation. */
export function costs(view: StudyView): Finding[] {
  const { rows, reference, recomputed, metric } = view;
  // Without a result of the reference, nothing has a cost relative to it.
  if (reference === null || reference.peakBytes === null) return [];
  const against = [reference, ...(recomputed === null ? [] : [recomputed])];
  const byValue = rowsOf(view).map(({ value, rows: own }) => ({ name: value, rows: own }));
  const groups =
    byValue.length > 0
      ? byValue
      : bestFirst(
          rows.filter((row) => !isEndToEnd(row)),
          metric,
        )
          .slice(0, mostShown)
          .map((row) => ({ name: row.condition.name, rows: [row] }));
  const own = recomputed === null ? [] : [{ name: recomputed.condition.name, rows: [recomputed] }];
  const details = [...own, ...groups].flatMap(({ name, rows: group }) => {
    const ratios = against.flatMap((other) => {
      const others = group.filter((row) => row !== other);
      return costAgainst(others, other) ?? [];
    });
    return ratios.length === 0 ? [] : [`${name}: ${ratios.join('; ')}`];
  });
  if (details.length === 0) return [];
  const { peakBytes, seconds } = reference;
  const name = reference.condition.name;
  return [
    {
      text: `${capital(name)} needs ${bytes(peakBytes)} of peak memory and ${duration(seconds?.mean ?? null)} of training time. Costs of the others relative to it${recomputed === null ? '' : ', and to the same with activation recomputation'}.${scatterOf(rows)}`,
      details,
    },
  ];
}

function costAgainst(rows: readonly ConditionRow[], other: ConditionRow): string | null {
  const ratios = (amountOf: (row: ConditionRow) => number | null) => {
    const whole = amountOf(other);
    return whole === null ? [] : known(rows.map(amountOf)).map((value) => value / whole);
  };
  const [memory, time, work] = [
    ratios(({ peakBytes }) => peakBytes),
    ratios(({ seconds }) => seconds?.mean ?? null),
    ratios((row) => row.work),
  ];
  if (memory.length === 0 || time.length === 0 || work.length === 0) return null;
  return `${rangeOf(memory)} the memory, ${rangeOf(time)} the time and ${rangeOf(work)} the compute of ${other.condition.name}`;
}

/** Concurrent runs disturb each other's times; then only memory and compute are reliable. */
function scatterOf(rows: readonly ConditionRow[]): string {
  const shares = rows.flatMap(({ seconds }) =>
    seconds?.high == null ? [] : [(seconds.high - seconds.mean) / seconds.mean],
  );
  const most = Math.max(0, ...shares);
  return most > mostScatter
    ? ` Times are imprecise: the 95 % intervals of their means reach ± ${Math.round(100 * most)} %; memory and compute are exact.`
    : '';
}

/** Half-width of an interval relative to the mean up to which times are called precise. */
const mostScatter = 0.25;

function rangeOf(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return decimals(least) === decimals(most) ? times(least) : `${decimals(least)} to ${times(most)}`;
}

/** Each condition against the best other one that needs no more compute. */
export function equalCompute(view: StudyView): Finding[] {
  const { rivals, study, metric } = view;
  const factor = study.compare?.factor ?? '';
  const baseline = study.compare?.baseline ?? '';
  const details = rowsOf(view).flatMap(({ value }) => {
    const own = rivals.filter(({ row }) => row.condition.labels[factor] === value);
    if (own.length === 0) return [];
    const tested = own.filter(({ difference }) => difference.p !== null);
    const count = (verdict: Verdict) =>
      tested.filter(({ difference }) => verdictOf(difference, metric) === verdict).length;
    const untested = own.length === tested.length ? '' : `, not tested in ${own.length - tested.length}`;
    const closest = own.reduce((best, pair) =>
      advantage(metric.metric, pair.difference.mean, best.difference.mean) > 0 ? pair : best,
    );
    const { row, other, difference } = closest;
    const share = times((other.work ?? 0) / (row.work ?? 1));
    return [
      `${value}: ${metric.more} than the best other condition in ${count('better')} of ${counted(own.length, 'setting')}, ${metric.less} in ${count('worse')}, no significant difference in ${count('open')}${untested}; ` +
        `best case, ${settingOf(row, view)}: ${metric.value(row.last?.mean ?? null)} against ${metric.value(other.last?.mean ?? null)} of ${other.condition.name} with ${share} its compute, ${differenceText(difference, metric)}`,
    ];
  });
  if (details.length === 0) return [];
  return [
    {
      text: `At equal compute: each condition with another value than ${baseline} against the ${metric.most} other condition of this study whose whole run, with its own schedule, needs no more compute (tolerance 5 %).`,
      details,
    },
  ];
}

/** Pareto fronts of the compared metric and each kind of cost, for whole runs, and what of them is certain. */
export function worthTheirCost({ rows, metric }: StudyView): Finding[] {
  const tested = rows.filter(({ last }) => last !== null);
  if (tested.length < 2) return [];
  const fronts = costKinds.map((kind) => ({ ...kind, ...frontierOf(tested, kind.amountOf, metric.metric) }));
  const isTested = fronts.some(({ tests }) => tests > 0);
  const details = fronts.flatMap(({ name, amountOf, wordsOf, front, certain, beaten }) => {
    if (front.length === 0) return [];
    const shown = front.map((row) => {
      const mark = isTested && certain.includes(row) ? ' ✓' : '';
      return `${row.condition.name} (${wordsOf(amountOf(row) ?? 0)}, ${metric.value(row.last?.mean ?? null)})${mark}`;
    });
    const open = tested.filter((row) => !front.includes(row) && !beaten.some((one) => one.row === row));
    // Names of conditions may contain commas.
    const isOpen =
      !isTested || open.length === 0
        ? ''
        : `. May belong to it: ${open.map(({ condition }) => condition.name).join('; ')}`;
    return [`by ${name}: ${listed(shown)}${isOpen}`];
  });
  const certainty = isTested
    ? `✓: the only one at the lowest cost, or significantly ${metric.more} than every condition that costs no more (p < ${significance} after Holm's correction for all such pairs). Conditions that are not named are significantly ${metric.less} than one that costs no more.`
    : 'no difference is tested, which takes several runs per condition.';
  return [
    {
      text: `Pareto fronts: no other condition has an equal or ${metric.side} mean at a lower cost. From the lowest cost to the highest; ${certainty}`,
      details,
    },
  ];
}

const costKinds: readonly {
  readonly name: string;
  readonly amountOf: (row: ConditionRow) => number | null;
  readonly wordsOf: (value: number) => string;
}[] = [
  { name: 'peak memory', amountOf: ({ peakBytes }) => peakBytes, wordsOf: bytes },
  { name: 'training time', amountOf: ({ seconds }) => seconds?.mean ?? null, wordsOf: duration },
  {
    name: 'multiply-accumulates of the whole run',
    amountOf: ({ work }) => work,
    wordsOf: operations,
  },
];
