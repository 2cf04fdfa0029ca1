import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import type { EpochRecord } from '@localgrad/train';

// Everything here is computed from the records of epochs, by other means than the report's.

const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;

const variance = (values: readonly number[]) =>
  values.reduce((total, value) => total + (value - mean(values)) ** 2, 0) / (values.length - 1);

/** ∫ sin^(ν − 1) from 0 to `angle`, by Simpson's rule in the fourth root of the angle, where it is smooth. */
function integral(angle: number, degrees: number): number {
  const steps = 200;
  const end = angle ** 0.25;
  const heights = Array.from({ length: steps + 1 }, (_, at) => {
    const weight = at === 0 || at === steps ? 1 : at % 2 === 1 ? 4 : 2;
    const root = (end * at) / steps;
    return weight * 4 * root ** 3 * Math.sin(root ** 4) ** (degrees - 1);
  });
  return (heights.reduce((total, height) => total + height, 0) * end) / (3 * steps);
}

/** P(|T| ≥ |t|) with T = √ν ÷ tan θ, whose density is that of sin^(ν − 1) θ. */
export function tail(t: number, degrees: number): number {
  return integral(Math.PI / 2 - Math.atan(Math.abs(t) / Math.sqrt(degrees)), degrees) / integral(Math.PI / 2, degrees);
}

/** The t with P(|T| ≥ t) = 0.05, by bisection. */
export function quantile(degrees: number): number {
  const whole = integral(Math.PI / 2, degrees);
  let [low, high] = [0, Math.PI / 2];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (integral(middle, degrees) < 0.05 * whole) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) / Math.tan(low);
}

const quantiles = [Number.NaN, 1, 2, 3, 4, 5, 6].map((degrees) => (degrees > 0 ? quantile(degrees) : Number.NaN));

export interface ExpectedEstimate {
  readonly n: number;
  readonly mean: number;
  readonly deviation: number | null;
  readonly half: number | null;
}

export function expectedEstimate(values: readonly number[]): ExpectedEstimate | null {
  if (values.length === 0) return null;
  const n = values.length;
  if (n === 1) return { n, mean: mean(values), deviation: null, half: null };
  const deviation = Math.sqrt(variance(values));
  return { n, mean: mean(values), deviation, half: (quantiles[n - 1] as number) * (deviation / Math.sqrt(n)) };
}

export interface ExpectedDifference {
  readonly against: string;
  readonly mean: number;
  readonly half: number | null;
  /** Before the correction. */
  readonly p: number | null;
  readonly g: number | null;
}

/** A condition with its values; a row of the report. */
export interface ExpectedRow {
  readonly key: string;
  readonly name: string;
  readonly condition: Condition;
  /** Without diverged ones. */
  readonly runs: readonly FinishedRun[];
  /** Of the last epoch, by seed. */
  readonly last: ReadonlyMap<number, number>;
  readonly best: readonly number[];
  readonly work: number | null;
  readonly seconds: number | null;
  readonly peakBytes: number | null;
}

export interface Expected {
  readonly reference: ExpectedRow | undefined;
  readonly metric: string;
  readonly lowerIsBetter: boolean;
  readonly selection: 'validation' | 'test';
  readonly rows: readonly ExpectedRow[];
  /** By key. */
  readonly toBaseline: ReadonlyMap<string, TestedPair>;
  readonly toReference: ReadonlyMap<string, TestedPair>;
}

const valueIn = (record: EpochRecord | undefined, set: 'test' | 'validation', name: string): number | undefined => {
  const value = name === 'accuracy' ? record?.[`${set}Accuracy`] : record?.[`${set}Metrics`]?.[name];
  return value ?? undefined;
};

const lastOf = ({ summary }: FinishedRun) => summary.epochs.findLast(({ testLoss }) => testLoss !== undefined);

export function expectedOf(study: Study): Expected {
  const runs = study.conditions.flatMap((condition) => condition.runs);
  const { name: metric, lowerIsBetter } = metricOf(runs);
  const isHeldOut = study.conditions.every(({ config }) => config.validation !== undefined);
  const selection = isHeldOut ? 'validation' : 'test';
  const settings = [...new Set(study.conditions.map(({ setting, name }) => setting ?? name))];
  const rows = settings.map((setting) => {
    const candidates = study.conditions.filter((condition) => (condition.setting ?? condition.name) === setting);
    return rowOf(chosen(candidates, selection), setting, metric, lowerIsBetter, selection);
  });
  const reference = rows.find(({ condition }) =>
    study.conditions.some(
      ({ key, setting, name }) =>
        key === study.reference && (setting ?? name) === (condition.setting ?? condition.name),
    ),
  );
  const baselines = rows.filter(({ condition }) => condition.labels.add === 'none');
  const toBaseline = rows.flatMap((row): [ExpectedRow, ExpectedRow][] => {
    const { add, host } = row.condition.labels;
    if (study.compare === null || add === undefined || add === 'none') return [];
    return baselines.filter(({ condition }) => condition.labels.host === host).map((other) => [row, other]);
  });
  const toReference =
    reference === undefined
      ? []
      : rows.filter((row) => row !== reference).map((row): [ExpectedRow, ExpectedRow] => [row, reference]);
  return {
    reference,
    metric,
    lowerIsBetter,
    selection,
    rows,
    toBaseline: byKey(family(toBaseline)),
    toReference: byKey(family(toReference)),
  };
}

const byKey = (pairs: readonly TestedPair[]) => new Map(pairs.map((pair) => [pair.row.key, pair] as const));

function metricOf(runs: readonly FinishedRun[]) {
  const names = new Set(runs.map(({ summary }) => summary.metric?.name ?? 'accuracy'));
  const [name = 'accuracy'] = names.size === 1 ? names : [];
  return { name, lowerIsBetter: name === 'loss' };
}

/** The candidate with the best mean over the seeds that choose. */
function chosen(candidates: readonly Condition[], selection: 'validation' | 'test'): Condition {
  const judged = candidates.map(({ runs, tuneSeeds }) => runs.filter(({ seed }) => tuneSeeds?.includes(seed) ?? true));
  const { name, lowerIsBetter } = metricOf(judged.flat());
  const means = judged.map((own) => {
    const values = own.flatMap((run) =>
      run.summary.status === 'diverged' ? [] : (valueIn(lastOf(run), selection, name) ?? []),
    );
    return values.length === 0 ? -Infinity : (lowerIsBetter ? -1 : 1) * mean(values);
  });
  return candidates[means.findIndex((value) => value >= Math.max(...means) - 1e-12)] as Condition;
}

function rowOf(
  condition: Condition,
  name: string,
  metric: string,
  lowerIsBetter: boolean,
  selection: 'validation' | 'test',
): ExpectedRow {
  const runs = condition.runs.filter(({ summary }) => summary.status !== 'diverged');
  const last = runs.flatMap((run): [number, number][] => {
    const value = valueIn(lastOf(run), 'test', metric);
    return value === undefined ? [] : [[run.seed, value]];
  });
  const best = runs.flatMap((run) => {
    const records = run.summary.epochs.filter(
      (record) => record.diverged !== true && valueIn(record, selection, metric) !== undefined,
    );
    const judged = records.map((record) => (lowerIsBetter ? -1 : 1) * (valueIn(record, selection, metric) as number));
    return valueIn(records[judged.indexOf(Math.max(...judged))], 'test', metric) ?? [];
  });
  const works = runs.map(({ summary }) => summary.cost.multiplyAccumulatesPerImage * summary.steps * 10);
  return {
    key: condition.key,
    name,
    condition,
    runs,
    last: new Map(last),
    best,
    work: works.length === 0 ? null : mean(works),
    seconds: runs.length === 0 ? null : mean(runs.map(({ summary }) => summary.seconds)),
    peakBytes: runs.length === 0 ? null : Math.max(...runs.map(({ summary }) => summary.peakBytes)),
  };
}

/** Null without values on a side. */
export function differenceBetween(row: ExpectedRow, other: ExpectedRow): ExpectedDifference | null {
  const [a, b] = [[...row.last.values()], [...other.last.values()]];
  if (a.length === 0 || b.length === 0) return null;
  const difference = { against: other.key, mean: mean(a) - mean(b) };
  const isSame = JSON.stringify([...row.last]) === JSON.stringify([...other.last]);
  const [varianceA, varianceB] = [variance(a), variance(b)];
  const pooled = ((a.length - 1) * varianceA + (b.length - 1) * varianceB) / (a.length + b.length - 2);
  if (isSame || a.length < 2 || b.length < 2 || pooled < 1e-24) return { ...difference, half: null, p: null, g: null };
  const [errorA, errorB] = [varianceA / a.length, varianceB / b.length];
  const error = Math.sqrt(errorA + errorB);
  const degrees = (errorA + errorB) ** 2 / (errorA ** 2 / (a.length - 1) + errorB ** 2 / (b.length - 1));
  return {
    ...difference,
    half: quantile(degrees) * error,
    p: tail(difference.mean / error, degrees),
    g: (difference.mean / Math.sqrt(pooled)) * (corrections[a.length + b.length - 2] as number),
  };
}

/** Γ(ν / 2) / (√(ν / 2) · Γ((ν − 1) / 2)) by degrees of freedom ν, from scipy 1.17. */
const corrections = [
  Number.NaN,
  Number.NaN,
  0.564189583548,
  0.723601254558,
  0.797884560803,
  0.84074868246,
  0.868626687827,
  0.888202907673,
  0.902703333676,
];

export interface TestedPair extends ExpectedDifference {
  readonly row: ExpectedRow;
  readonly other: ExpectedRow;
  /** By Holm's method over the pairs that have a p value. */
  readonly adjusted: number | null;
}

/** Those of one family of pairs that have values on both sides. */
export function family(pairs: readonly (readonly [ExpectedRow, ExpectedRow])[]): TestedPair[] {
  const differences = pairs.flatMap(([row, other]) => {
    const difference = differenceBetween(row, other);
    return difference === null ? [] : [{ row, other, ...difference }];
  });
  const adjusted = holmOf(differences.map(({ p }) => p));
  return differences.map((difference, index) => ({ ...difference, adjusted: adjusted[index] ?? null }));
}

export function holmOf(values: readonly (number | null)[]): (number | null)[] {
  const tested = values.flatMap((p) => p ?? []).sort((a, b) => a - b);
  const adjusted = (p: number) => Math.max(...tested.map((one, rank) => (one <= p ? one * (tested.length - rank) : 0)));
  return values.map((p) => (p === null ? null : Math.min(1, adjusted(p))));
}

/** Of the mean of differences. */
export function pairedTest(differences: readonly number[]): Pick<ExpectedDifference, 'mean' | 'half' | 'p'> {
  const n = differences.length;
  const deviation = n < 2 ? 0 : Math.sqrt(variance(differences));
  if (deviation < 1e-12) return { mean: mean(differences), half: null, p: null };
  const error = deviation / Math.sqrt(n);
  return {
    mean: mean(differences),
    half: (quantiles[n - 1] as number) * error,
    p: tail(mean(differences) / error, n - 1),
  };
}
