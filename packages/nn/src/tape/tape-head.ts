import {
  bytesOf,
  type Clock,
  endOfTraining,
  evaluationMode,
  formatShape,
  type Head,
  type HeadCost,
  type HeadRequest,
  type HeadResult,
  LocalgradError,
  type Parameter,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  type Targets,
} from '@localgrad/core';
import { clone, keep, type Scalar, scalar, type Tensor, type Tensor2D, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { isTrained } from '../blocks/convolution-unit.js';
import { choiceOf } from '../heads/choice.js';
import { classificationMetrics } from '../losses/classification-metrics.js';
import { requireTarget } from '../losses/targets.js';
import { type Borrowed, callFunction, requireTensor, type TapeFunction, tensorOrObject } from './tape-function.js';
import { Extras, tapeGradients } from './tape-gradients.js';
import {
  type TapeContext,
  type TapeParameterOptions,
  TapeParameters,
  tapeParameterOptionNames,
} from './tape-parameters.js';

/** Context that a head's function receives besides feature map, targets and parameters. */
export interface TapeHeadContext extends TapeContext {
  /** Position in training, for scheduled values. */
  readonly clock: Clock;
  /** As `HeadRequest.labelSmoothing`; a head that classifies should heed it. 0 in evaluation. */
  readonly labelSmoothing: number;
}

/** A loss with its terms. */
export interface TapeLoss {
  /** A scalar. */
  readonly loss: Tensor;
  /** Parts of the loss by name, scalars, for logs. */
  readonly terms?: Readonly<Record<string, Tensor>>;
  /** In training: the batch's values of the declared statistics, in their order. */
  readonly statistics?: readonly Tensor[];
}

export interface TapeHeadOptions extends TapeParameterOptions {
  /** Name of the head, for messages, logs and `explain`. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample of the feature map that the head reads. */
  readonly inputShape: Shape3;
  /**
   * The loss as an ordinary TensorFlow.js function that returns a scalar; receives the parameters' tensors in the order
   * of `parameters`. Must not read values back from the device.
   */
  readonly fn: (
    h: Tensor4D,
    targets: Targets,
    parameters: readonly Tensor[],
    context: TapeHeadContext,
  ) => Tensor | TapeLoss;
  /** Names of the targets that `fn` and `measure` read; default `labels`. */
  readonly reads?: readonly string[];
  /** Output in evaluation mode, class scores [batch, classes] for a classifier. */
  readonly predict?: (h: Tensor4D, parameters: readonly Tensor[], context: TapeContext) => Tensor;
  /**
   * Metrics besides `loss` in evaluation mode, averaged over the batch. Default: accuracy (and top5) of `predict`, if
   * it returns class scores and the head reads `labels`.
   */
  readonly measure?: (
    h: Tensor4D,
    targets: Targets,
    parameters: readonly Tensor[],
    context: TapeContext,
  ) => Readonly<Record<string, Tensor>>;
  /** The metric by which epochs and runs are chosen: one of `measure`, or `loss`. Default `accuracy`. */
  readonly mainMetric?: string;
  /** Metrics of `measure` of which lower values are better. Default: none. */
  readonly errorMetrics?: readonly string[];
  /** Multiply-accumulates per sample; default: counted once. */
  readonly multiplyAccumulates?: number;
  /** Values that the tape keeps for one sample, to predict memory; default: measured once. */
  readonly tapeValues?: number;
}

/** A head defined by a TensorFlow.js function from a feature map to a scalar loss, differentiated by the tape. */
export function tapeHead(options: TapeHeadOptions): Head {
  const { name, inputShape, fn, predict, reads = ['labels'] } = options;
  const where = `tapeHead '${name}'`;
  checkOptions(where, options);
  const own = new TapeParameters(where, name, options);
  const trained = own.parameters.filter(isTrained);
  const lossFunction: TapeFunction = { where, option: 'fn', reads, parameters: own.parameters };
  const measureFunction: TapeFunction = { where, option: 'measure', reads, parameters: own.parameters };

  const borrowed = (h: Tensor4D, targets: Targets = {}): Borrowed => ({
    h,
    ...own.named(),
    ...Object.fromEntries(reads.map((target) => [`the target '${target}'`, targets[target]])),
  });

  const evaluate = (h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult => {
    const { mode, weight, input, clock, labelSmoothing = 0 } = request;
    for (const target of reads) requireTarget(targets, target, `head '${name}'`);
    const extras = new Extras();
    let terms: ReadonlyMap<string, Scalar> | undefined;
    let statistics: readonly Tensor[] | undefined;
    const run = (): Scalar => {
      const values = own.values();
      const returned = callFunction(lossFunction, borrowed(h, targets), () =>
        fn(h, targets, values, { ...own.context(mode), clock, labelSmoothing }),
      );
      const result = tensorOrObject<TapeLoss>(lossFunction, 'loss', returned);
      const { loss: value, terms: parts, statistics: batch } = 'loss' in result ? result : { loss: result };
      const loss = asScalar(lossFunction, 'a loss', value);
      if (parts !== undefined) {
        const entries = Object.entries(parts);
        terms = new Map(
          entries.map(([term, part]) => [term, extras.keep(asScalar(lossFunction, `term '${term}'`, part))]),
        );
      }
      statistics = batch?.map((tensor) => extras.keep(tensor));
      // The loss is owned by the caller.
      return values.includes(loss) ? clone(loss) : loss;
    };
    const result = differentiate(run, h, { mode, weight, input });
    own.update(statistics, mode);
    extras.dispose(terms?.values());
    return terms === undefined ? result : { ...result, terms };
  };

  const differentiate = (
    run: () => Scalar,
    h: Tensor4D,
    { mode, weight, input }: Omit<HeadRequest, 'clock'>,
  ): HeadResult => {
    if (!mode.training || (!input && trained.length === 0)) return { loss: tidy(run), parameters: new Map() };
    const dy = scalar(weight);
    const { value: loss, input: dx, gradients } = tapeGradients<Scalar>({ where, x: h, trained, run, dy, input });
    dy.dispose();
    return { loss, parameters: gradients, ...(dx === undefined ? {} : { input: dx }) };
  };

  const scoresOf = (h: Tensor4D, score: NonNullable<typeof predict>): Tensor =>
    tidy(() => {
      const predictFunction: TapeFunction = { where, option: 'predict', parameters: own.parameters };
      const scores = callFunction(predictFunction, borrowed(h), () =>
        score(h, own.values(), own.context(evaluationMode)),
      );
      requireTensor(predictFunction, '', scores);
      return scores;
    });

  const measure = (h: Tensor4D, targets: Targets): ReadonlyMap<string, Scalar> => {
    const request = { mode: evaluationMode, weight: 1, input: false, clock: endOfTraining };
    const { loss, terms } = evaluate(h, targets, request);
    for (const term of terms?.values() ?? []) term.dispose();
    if (options.measure !== undefined) {
      const found = options.measure;
      const context = own.context(evaluationMode);
      const metrics = tidy(() => {
        const measured = callFunction(measureFunction, borrowed(h, targets), () =>
          found(h, targets, own.values(), context),
        );
        return Object.entries(measured ?? {}).map(
          ([metric, value]) => [metric, keep(clone(asScalar(measureFunction, `'${metric}'`, value)))] as const,
        );
      });
      return new Map([['loss', loss], ...metrics]);
    }
    if (predict === undefined || !reads.includes('labels') || targets.labels === undefined) {
      return new Map([['loss', loss]]);
    }
    const scores = scoresOf(h, predict);
    const metrics = isMatrix(scores) ? classificationMetrics(scores, targets.labels) : [];
    scores.dispose();
    return new Map([['loss', loss], ...metrics]);
  };

  const cost = statedCost(options, own.parameters);
  return {
    name,
    inputShape,
    parameters: own.parameters,
    statistics: own.statistics,
    ...(cost === undefined ? {} : { cost }),
    reads,
    evaluate,
    measure,
    ...(predict === undefined ? {} : { predict: (h) => scoresOf(h, predict) }),
    ...choiceOf(options),
  };
}

const optionNames: readonly (keyof TapeHeadOptions)[] = [
  ...tapeParameterOptionNames,
  'name',
  'inputShape',
  'fn',
  'reads',
  'predict',
  'measure',
  'mainMetric',
  'errorMetrics',
  'multiplyAccumulates',
  'tapeValues',
];

/** @throws LocalgradError `invalid-option` */
function checkOptions(where: string, options: TapeHeadOptions): void {
  rejectUnknownKeys(where, options, optionNames);
  const { fn, reads = [] } = options;
  requireOption(typeof fn === 'function', where, 'fn', fn, 'a function');
  requireOption(Array.isArray(reads), where, 'reads', reads, "a list of targets, such as ['labels']");
}

const isScalar = (value: Tensor): value is Scalar => value.rank === 0;
const isMatrix = (value: Tensor): value is Tensor2D => value.rank === 2;

function asScalar(from: TapeFunction, what: string, value: Tensor): Scalar {
  requireTensor(from, ` as ${what}`, value);
  if (isScalar(value)) return value;
  throw new LocalgradError(
    'shape-mismatch',
    `${from.where}: ${from.option} returned ${what} of shape ${formatShape(value.shape)}; it must be a scalar, e.g. the mean over the batch.`,
    { shape: value.shape },
  );
}

/** Absent unless the options state it: then it is measured. */
function statedCost(options: TapeHeadOptions, parameters: readonly Parameter[]): HeadCost | undefined {
  const { tapeValues, multiplyAccumulates, inputShape } = options;
  if (tapeValues === undefined || multiplyAccumulates === undefined) return undefined;
  const gradients = parameters.reduce((sum, { size }) => sum + 4 * size, 0);
  return {
    multiplyAccumulates,
    evaluatePeakBytes: (batchSize) => 4 * batchSize * tapeValues + bytesOf(inputShape, batchSize) + gradients,
  };
}
