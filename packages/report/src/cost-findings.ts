import { paretoFront } from './charts/pareto.js';
import { type ConditionRow, isEndToEnd, known, type StudyView } from './condition-rows.js';
import { differenceText, type Finding, mostAccurate, mostShown, rowsOf, settingOf, verdictOf } from './finding.js';
import { bytes, capital, counted, duration, listed, operations, percent, times } from './text/wording.js';

/** What conditions cost against the reference, and against the same with recomputed activations. */
export function costs(view: StudyView): Finding[] {
  const { rows, reference, recomputed } = view;
  if (reference === null) return [];
  const against = [reference, ...(recomputed === null ? [] : [recomputed])];
  const byValue = rowsOf(view).map(({ value, rows: own }) => ({ name: value, rows: own }));
  const groups =
    byValue.length > 0
      ? byValue
      : mostAccurate(rows.filter((row) => !isEndToEnd(row)))
          .slice(0, mostShown)
          .map((row) => ({ name: row.condition.name, rows: [row] }));
  const own = recomputed === null ? [] : [{ name: recomputed.condition.name, rows: [recomputed] }];
  const details = [...own, ...groups].flatMap(({ name, rows: group }) => {
    const ratios = against.flatMap((other) => (group.includes(other) ? [] : (costAgainst(group, other) ?? [])));
    return ratios.length === 0 ? [] : [`${name}: ${ratios.join('; ')}`];
  });
  if (details.length === 0) return [];
  const { peakBytes, seconds } = reference;
  const name = reference.condition.name;
  return [
    {
      text: `${capital(name)} costs ${bytes(peakBytes)} at the peak and ${duration(seconds?.mean ?? null)} of training steps. What others cost against it${recomputed === null ? '' : ', and against the same with recomputed activations'}.${scatterOf(rows)}`,
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

/** Runs beside each other disturb each other: what is exact should be read then. */
function scatterOf(rows: readonly ConditionRow[]): string {
  const shares = rows.flatMap(({ seconds }) =>
    seconds?.high == null ? [] : [(seconds.high - seconds.mean) / seconds.mean],
  );
  const most = Math.max(0, ...shares);
  return most > mostScatter
    ? ` Times are rough: 95 % intervals of their means reach ± ${Math.round(100 * most)} %; memory and compute are exact.`
    : '';
}

/** Share of the mean time up to which the times of runs agree. */
const mostScatter = 0.25;

function rangeOf(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least.toFixed(2) === most.toFixed(2) ? times(least) : `${least.toFixed(2)} to ${times(most)}`;
}

/** What else of the study takes no more compute, whole runs each with a schedule of its own, and is it more accurate? */
export function equalCompute(view: StudyView): Finding[] {
  const { rivals, study } = view;
  const factor = study.compare?.factor ?? '';
  const details = rowsOf(view).flatMap(({ value }) => {
    const own = rivals.filter(({ row }) => row.condition.labels[factor] === value);
    if (own.length === 0) return [];
    const count = (verdict: string) => own.filter(({ difference }) => verdictOf(difference) === verdict).length;
    const closest = own.reduce((best, pair) => (pair.difference.mean > best.difference.mean ? pair : best));
    const { row, other, difference } = closest;
    const share = times((other.work ?? 0) / (row.work ?? 1));
    return [
      `${value}: more accurate than the best of the others in ${count('higher')} of ${counted(own.length, 'setting')}, less in ${count('lower')}, no difference shown in ${count('open')}; ` +
        `where it does best, ${settingOf(row, view)}: ${percent(row.last?.mean ?? null)} against ${percent(other.last?.mean ?? null)} of ${other.condition.name} with ${share} its compute, ${differenceText(difference)}`,
    ];
  });
  if (details.length === 0) return [];
  return [
    {
      text: 'At equal compute: each condition against the most accurate other one of this study that takes no more compute (up to 5 %) for its whole run, with a schedule of its own.',
      details,
    },
  ];
}

/** What nothing beats for less, by each kind of cost: whole runs, each with its own schedule. */
export function worthTheirCost({ rows }: StudyView): Finding[] {
  const tested = rows.filter(({ last }) => last !== null);
  if (tested.length < 2) return [];
  const details = costKinds.flatMap(({ name, amountOf, wordsOf }) => {
    const points = tested.flatMap((row) => {
      const x = amountOf(row);
      return x === null || row.last === null ? [] : [{ row, x, y: row.last.mean }];
    });
    const front = paretoFront(points).map(({ row, x, y }) => `${row.condition.name} (${wordsOf(x)}, ${percent(y)})`);
    return front.length === 0 ? [] : [`by ${name}: ${listed(front)}`];
  });
  return [
    {
      text: 'The Pareto fronts: nothing else has a mean as high for less. From cheap to dear:',
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
