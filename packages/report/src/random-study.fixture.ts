import type { Condition, FinishedRun, StoppedRun, Study } from '@localgrad/experiments';
import type { RunSummary } from '@localgrad/runs';
import type { EpochRecord, Metric } from '@localgrad/train';
import fc from 'fast-check';

/** What a random study is made of, beside the results of its runs. */
interface Outline {
  readonly hosts: number;
  readonly values: readonly string[];
  readonly rates: number;
  readonly tuneSeeds: number;
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly metric: Metric | null;
  /** Whether some runs name another metric than the others. */
  readonly isMixed: boolean;
  readonly heldOut: 'all' | 'some' | 'none';
  readonly hasReference: boolean;
  readonly hasComparison: boolean;
  readonly isClassifier: boolean;
  /** Number of values that results have: few yield ties. */
  readonly levels: number;
}

const metrics: readonly (Metric | null)[] = [
  null,
  { name: 'meanIoU', lowerIsBetter: false },
  { name: 'loss', lowerIsBetter: true },
  { name: 'gain', lowerIsBetter: false },
];

const outlines: fc.Arbitrary<Outline> = fc.record({
  hosts: fc.constantFrom(1, 2),
  values: fc.subarray(['MLM', 'LAM', 'MLM + LAM'], { minLength: 1 }).map((values) => ['none', ...values]),
  rates: fc.constantFrom(1, 1, 2),
  tuneSeeds: fc.constantFrom(1, 2, 9),
  seeds: fc.constantFrom([1], [1, 2], [1, 2, 3], [3, 7, 11, 20]),
  epochs: fc.constantFrom(1, 3),
  metric: fc.constantFrom(...metrics),
  isMixed: fc.constantFrom(false, false, false, true),
  heldOut: fc.constantFrom('all', 'some', 'none'),
  hasReference: fc.boolean(),
  hasComparison: fc.constantFrom(true, true, false),
  isClassifier: fc.constantFrom(true, true, false),
  levels: fc.constantFrom(1, 3, 1000),
});

/** Draws one of some integers. */
type Draw = (below: number) => number;

/**
 * Studies with missing, diverged and stopped runs, ties, constant results, one seed, metrics of both directions and of any sign,
 * non-finite losses, held-out images, and values that conditions choose from.
 */
export const randomStudies: fc.Arbitrary<Study> = fc
  .tuple(outlines, fc.infiniteStream(fc.nat({ max: 0x7fffffff })))
  .map(([outline, stream]) => {
    const draw: Draw = (below) => Number(stream.next().value) % below;
    return studyOf(outline, draw);
  });

function studyOf(outline: Outline, draw: Draw): Study {
  const { hosts, values, rates, hasReference, hasComparison } = outline;
  const settings = Array.from({ length: hosts }, (_, host) => ['greedy', 'DGL'][host] ?? '').flatMap((host) =>
    // The baseline is never left out, since a study without it has no comparison.
    values
      .filter((value) => value === 'none' || draw(8) > 0)
      .map((add) => ({ name: `${host}, ${add}`, labels: { host, add } })),
  );
  const own = [...settings, ...(hasReference ? [{ name: 'end to end', labels: {} }] : [])];
  const conditions = own.flatMap(({ name, labels }, index) =>
    Array.from({ length: rates }, (_, rate) => {
      const learningRate = String(0.1 / (rate + 1));
      const chosen = rates === 1 ? {} : { setting: name, name: `${name}, learningRate ${learningRate}` };
      const all = { name, ...chosen, labels: rates === 1 ? labels : { ...labels, learningRate } };
      return conditionOf({ ...all, index: index * rates + rate, isReference: name === 'end to end' }, outline, draw);
    }),
  );
  const rows = new Set(conditions.map(({ setting, name }) => setting ?? name)).size;
  if (rows === 0) throw new Error('a study without conditions');
  return {
    name: 'random',
    title: 'Random results',
    description: '',
    factors: ['host', 'add', ...(rates === 1 ? [] : ['learningRate'])],
    ...(rates === 1 ? {} : { tune: ['learningRate'] }),
    conditions,
    compare: hasComparison ? { factor: 'add', baseline: 'none' } : null,
    reference: conditions.find(({ name }) => name.startsWith('end to end'))?.key ?? null,
    source: 'name: random\n',
    commands: [],
  };
}

interface Part extends Pick<Condition, 'name' | 'setting' | 'labels'> {
  readonly index: number;
  readonly isReference: boolean;
}

function conditionOf({ index, isReference, ...part }: Part, outline: Outline, draw: Draw): Condition {
  const { seeds, tuneSeeds, epochs, heldOut, rates } = outline;
  const validation = heldOut === 'all' || (heldOut === 'some' && index % 2 === 0) ? { validation: 0.1 } : {};
  const config = {
    method: isReference ? 'backprop' : 'dgl',
    batch: 10,
    epochs: epochs + (draw(6) === 0 ? 1 : 0),
    ...validation,
  };
  const runs: FinishedRun[] = [];
  const stopped: StoppedRun[] = [];
  // Some conditions have hardly any finished run.
  const mostRuns = draw(5) === 0 ? draw(2) : seeds.length;
  for (const seed of seeds) {
    const fate = runs.length >= mostRuns ? 'missing' : (['missing', 'stopped', 'diverged'][draw(12)] ?? 'finished');
    const folder = `/runs/${index}/${seed}`;
    if (fate === 'stopped')
      stopped.push({ folder, seed, epoch: 1, ...stoppedResult(outline, draw), reason: 'worse than the median' });
    if (fate === 'diverged' || fate === 'finished') {
      const summary = summaryOf({ seed, config, isReference, isDiverged: fate === 'diverged', index }, outline, draw);
      runs.push({ folder, seed, summary, environment: null });
    }
  }
  return {
    key: `key-${index}`,
    ...part,
    config,
    runs,
    stopped,
    seeds,
    ...(rates === 1 ? {} : { tuneSeeds: seeds.slice(0, tuneSeeds) }),
  };
}

function stoppedResult({ metric }: Outline, draw: Draw): Pick<StoppedRun, 'testAccuracy' | 'metric'> {
  if (metric === null) return { testAccuracy: draw(10) / 10 };
  return { testAccuracy: null, metric: { name: metric.name, test: draw(10) / 10 } };
}

interface RunPart {
  readonly seed: number;
  readonly index: number;
  readonly config: Condition['config'];
  readonly isReference: boolean;
  readonly isDiverged: boolean;
}

function summaryOf(part: RunPart, outline: Outline, draw: Draw): RunSummary {
  const { seed, index, config, isReference, isDiverged } = part;
  const peakBytes = (1 + draw(3)) * 2 ** 22;
  const count = Number(config.epochs);
  const metric = outline.isMixed && index % 3 === 1 ? null : outline.metric;
  const records = Array.from({ length: count }, (_, at) => {
    const isLast = at === count - 1;
    // Other than the last epoch, some are not evaluated, and some have no finite loss.
    const isEvaluated = isLast || draw(4) > 0;
    const isUsable = !(isLast ? isDiverged : draw(6) === 0);
    return recordOf(
      { epoch: at + 1, peakBytes, isEvaluated, isUsable, hasValidation: 'validation' in config, metric },
      outline,
      draw,
    );
  });
  const modules = isReference ? 1 : 2;
  const work = (1 + draw(3)) * 1e6;
  return {
    formatVersion: 1,
    status: isDiverged ? 'diverged' : 'finished',
    ...(isDiverged ? { divergence: 'the test loss is NaN' } : {}),
    runId: `${index}-${seed}`,
    config: { ...config, seed },
    backend: 'wasm',
    ...totalsOf(records),
    seconds: 1 + draw(4),
    totalSeconds: 9,
    peakBytes,
    steps: 5 * count,
    epochs: records,
    objectives: Array.from({ length: modules }, (_, at) => ({
      id: at === modules - 1 ? 'final' : `local/${at}`,
      role: at === modules - 1 ? ('final' as const) : ('independent' as const),
      span: [at, at] as const,
    })),
    cost: {
      backboneParameters: 10,
      trainedParameters: 20,
      unitsOfWork: work / 1e6,
      multiplyAccumulatesPerImage: work,
      predictedPeakBytes: peakBytes,
    },
    probes: null,
    resumptions: draw(2),
  };
}

interface RecordPart {
  readonly epoch: number;
  readonly peakBytes: number;
  readonly isEvaluated: boolean;
  readonly isUsable: boolean;
  readonly hasValidation: boolean;
  readonly metric: Metric | null;
}

function recordOf(part: RecordPart, { levels, isClassifier }: Outline, draw: Draw): EpochRecord {
  const { epoch, peakBytes, isEvaluated, isUsable, hasValidation, metric } = part;
  const value = () => (1 + draw(levels)) / (levels + 1);
  const evaluation = (set: 'test' | 'validation') => {
    // As JSON stores NaN.
    const loss = isUsable ? 2 * value() : (null as unknown as number);
    const gain = isUsable ? -30 * value() : (null as unknown as number);
    const accuracy = value();
    return {
      ...(isClassifier ? { [`${set}Accuracy`]: accuracy } : {}),
      [`${set}Loss`]: loss,
      [`${set}Metrics`]: { loss, gain, meanIoU: value(), ...(isClassifier ? { accuracy } : {}) },
    };
  };
  return {
    epoch,
    ...(metric === null ? {} : { metric }),
    losses: { final: value(), 'local/0': draw(9) === 0 ? (null as unknown as number) : value() },
    learningRate: 0.1,
    seconds: 1,
    imagesPerSecond: 1,
    peakBytes,
    ...(isEvaluated ? evaluation('test') : {}),
    ...(isEvaluated && hasValidation ? evaluation('validation') : {}),
    ...(isEvaluated && !isUsable ? { diverged: true } : {}),
  };
}

/** What a run records beside its epochs, as training sums them up. */
function totalsOf(
  records: readonly EpochRecord[],
): Pick<RunSummary, 'metric' | 'testAccuracy' | 'bestTestAccuracy' | 'validation'> {
  const evaluated = records.filter(({ testLoss }) => testLoss !== undefined);
  const finite = evaluated.filter(({ diverged }) => diverged !== true);
  const last = evaluated.at(-1);
  const accuracies = finite.flatMap(({ testAccuracy = null }) => testAccuracy ?? []);
  const name = last?.metric?.name ?? 'accuracy';
  const sign = last?.metric?.lowerIsBetter === true ? -1 : 1;
  const valued = finite.flatMap((record) => {
    const value = record.validationMetrics?.[name];
    return value === undefined ? [] : [{ record, value: sign * value }];
  });
  const best = valued.find(({ value }) => value === Math.max(...valued.map((one) => one.value)))?.record;
  return {
    ...(last?.metric === undefined ? {} : { metric: last.metric }),
    testAccuracy: last?.testAccuracy ?? null,
    bestTestAccuracy: accuracies.length === 0 ? null : Math.max(...accuracies),
    ...(last?.validationLoss === undefined
      ? {}
      : {
          validation: {
            accuracy: last.validationAccuracy ?? null,
            best:
              best === undefined
                ? null
                : {
                    epoch: best.epoch,
                    accuracy: best.validationAccuracy ?? null,
                    testAccuracy: best.testAccuracy ?? null,
                  },
          },
        }),
  };
}
