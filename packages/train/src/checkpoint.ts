import { type JsonValue, LocalgradError, type Optimizer, type Parameter, sameShape } from '@localgrad/core';
import type { CompiledPlan, StepMemory } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import type { EvaluationSet } from './evaluation-records.js';
import type { EpochRecord } from './events.js';
import type { LossLogState } from './loss-log.js';
import { numberOf, type StoredNumber, storedNumber } from './stored-number.js';

/**
 * Position of a run, as plain data without tensors. Order and augmentation of the images follow from it and the seed.
 */
export interface TrainingProgress {
  /** Number of completed steps. */
  readonly step: number;
  /** Epoch of the next step, from 1. */
  readonly epoch: number;
  /** Completed batches of that epoch. */
  readonly batchesDone: number;
  /** Losses logged in the unfinished epoch. */
  readonly losses: LossLogState;
  /** Records of the completed epochs. */
  readonly records: readonly StoredRecord[];
  /** Seconds of training steps since the start of the run. */
  readonly seconds: number;
  /** Seconds since the start of the run, including evaluation, without interruptions. */
  readonly totalSeconds: number;
  /** Seconds of training steps in the unfinished epoch. */
  readonly epochSeconds: number;
  /** Peak bytes of live tensors during the steps of the unfinished epoch. */
  readonly epochPeakBytes: number;
  /** Multiply-accumulates for one image, summed over the completed steps of the unfinished epoch. Missing in files of earlier versions. */
  readonly epochMultiplyAccumulates?: number;
  /** Peak bytes of live tensors during all steps. */
  readonly peakBytes: number;
  /** Number of times the run was resumed before. */
  readonly resumptions: number;
  /** JSON values of the plan's declared state. */
  readonly state?: Readonly<Record<string, JsonValue>>;
  /** JSON values of the step's memory, if it has one. */
  readonly stepMemory?: JsonValue;
}

/** Evaluation metrics may be NaN or infinite; only non-finite training losses stop a run. */
export type StoredRecord = Omit<EpochRecord, keyof Evaluations<number>> & Evaluations<StoredNumber>;

/** The numbers of a record that may be NaN or infinite. */
export type Evaluations<Value> = { readonly [Field in `${EvaluationSet}Loss`]?: Value } & {
  readonly [Field in `${EvaluationSet}Metrics`]?: Readonly<Record<string, Value>>;
};

export function storedRecord({
  testLoss,
  testMetrics,
  validationLoss,
  validationMetrics,
  ...record
}: EpochRecord): StoredRecord {
  return {
    ...record,
    ...present({ testLoss, validationLoss }, storedNumber),
    ...present({ testMetrics, validationMetrics }, (metrics) => mapValues(metrics, storedNumber)),
  };
}

export function recordOf({
  testLoss,
  testMetrics,
  validationLoss,
  validationMetrics,
  ...record
}: StoredRecord): EpochRecord {
  return {
    ...record,
    ...present({ testLoss, validationLoss }, numberOf),
    ...present({ testMetrics, validationMetrics }, (metrics) => mapValues(metrics, numberOf)),
  };
}

/** The fields that are not undefined, changed. */
function present<Field extends string, A, B>(
  fields: Readonly<Record<Field, A | undefined>>,
  change: (value: A) => B,
): { [Name in Field]?: B } {
  const changed: { [Name in Field]?: B } = {};
  for (const field of Object.keys(fields) as Field[]) {
    const value = fields[field];
    if (value !== undefined) changed[field] = change(value);
  }
  return changed;
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

/**
 * Everything needed to resume a run bit-identically. Tensors are named `parameters/<name>` (weights of backbone and
 * auxiliary networks, moving averages, running statistics, state of heads and plan), `optimizer/<slot>/<name>`, and
 * `step/<name>` where the step has a memory, as with asynchronous training and delayed gradients.
 */
export interface TrainingCheckpoint {
  /** Position of the run. */
  readonly progress: TrainingProgress;
  /** Tensors by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** When checkpoints are saved, and how. */
export interface CheckpointPolicy {
  /** Number of epochs between checkpoints, which are saved after the evaluation. Default 1. */
  readonly everyEpochs?: number;
  /** Number of steps between additional checkpoints, counted from the start of the run. Default: none. */
  readonly everySteps?: number;
  /**
   * Called after each step; returns true to save an additional checkpoint, e.g. at a time interval. Does not affect
   * results.
   */
  isDue?(): boolean;
  /** Training waits until the promise resolves; an error stops the run. */
  save(checkpoint: TrainingCheckpoint): Promise<void> | void;
}

const parameters = 'parameters/';
const slots = 'optimizer/';
const ofStep = 'step/';

/** Copies all tensors of a run to typed arrays. */
export async function captureTensors(
  compiled: CompiledPlan,
  optimizer: Optimizer,
  memory?: StepMemory,
): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { value }] of compiled.parameters) tensors.set(`${parameters}${name}`, await stored(value));
  for (const [name, value] of optimizer.state()) tensors.set(`${slots}${name}`, await stored(value));
  for (const [name, value] of memory?.tensors() ?? []) tensors.set(`${ofStep}${name}`, await stored(value));
  return tensors;
}

/**
 * Restores the tensors and JSON values of a checkpoint.
 *
 * @throws LocalgradError `invalid-data`
 */
export function restoreRun(
  compiled: CompiledPlan,
  optimizer: Optimizer,
  { progress, tensors }: TrainingCheckpoint,
  memory?: StepMemory,
): void {
  const [ownTensors, stepTensors] = memory === undefined ? [tensors, new Map()] : splitTensors(tensors);
  restoreTensors(compiled, optimizer, ownTensors);
  compiled.state.restore(progress.state ?? {});
  memory?.load(progress.stepMemory ?? {}, mapTensors(stepTensors));
}

/** Tensors of the run, and those of the step's memory without their prefix. */
export function splitTensors(tensors: TrainingCheckpoint['tensors']) {
  const isOfStep = ([name]: readonly [string, StoredTensor]) => name.startsWith(ofStep);
  const rest = [...tensors].filter((entry) => !isOfStep(entry));
  const own = [...tensors].filter(isOfStep).map(([name, tensor]) => [name.slice(ofStep.length), tensor] as const);
  return [new Map(rest), new Map(own)] as const;
}

/** Tensors of stored ones; owned by the caller. */
export function mapTensors(tensors: TrainingCheckpoint['tensors']): Map<string, tf.Tensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, restored(tensor)]));
}

/**
 * Restores the tensors of a checkpoint into a run that was built from the same config.
 *
 * @throws LocalgradError `invalid-data` that lists missing, unknown and wrongly shaped tensors; nothing is changed in
 *   that case
 */
export function restoreTensors(
  compiled: CompiledPlan,
  optimizer: Optimizer,
  tensors: ReadonlyMap<string, StoredTensor>,
): void {
  const problems: string[] = [];
  const assignments: (readonly [Parameter, StoredTensor])[] = [];
  for (const [name, parameter] of compiled.parameters) {
    const tensor = tensors.get(`${parameters}${name}`);
    if (tensor === undefined) problems.push(`'${name}' is missing`);
    else if (!sameShape(tensor.shape, parameter.shape)) problems.push(shapeProblem(name, tensor, parameter.shape));
    else assignments.push([parameter, tensor]);
  }
  const state: (readonly [string, StoredTensor])[] = [];
  for (const [key, tensor] of tensors) {
    if (key.startsWith(parameters) && compiled.parameters.has(key.slice(parameters.length))) continue;
    const name = key.startsWith(slots) ? key.slice(slots.length) : undefined;
    const parameter = name === undefined ? undefined : compiled.parameters.get(name.slice(name.indexOf('/') + 1));
    if (name === undefined || parameter === undefined) problems.push(`'${key}' does not exist in this run`);
    // An optimizer's state for a weight has its shape, or is a number: Adam counts updates.
    else if (tensor.shape.length === 0 || sameShape(tensor.shape, parameter.shape)) state.push([name, tensor]);
    else problems.push(shapeProblem(key, tensor, parameter.shape));
  }
  if (problems.length > 0) {
    throw new LocalgradError(
      'invalid-data',
      `The checkpoint belongs to another network, method or optimizer: ${problems.join('; ')}.`,
      { problems },
    );
  }
  for (const [parameter, tensor] of assignments) parameter.assign(restored(tensor));
  optimizer.load(new Map(state.map(([name, tensor]) => [name, restored(tensor)])));
}

async function stored(tensor: tf.Tensor): Promise<StoredTensor> {
  // A copy, because some backends return their own memory, which later steps overwrite.
  const values = await tensor.data();
  const shape = [...tensor.shape];
  if (tensor.dtype === 'int32') return { dtype: 'I32', shape, data: new Int32Array(values) };
  return { dtype: 'F32', shape, data: new Float32Array(values) };
}

function restored({ dtype, data, shape }: StoredTensor): tf.Tensor {
  if (dtype === 'I32') return tf.tensor(new Int32Array(data), [...shape], 'int32');
  return tf.tensor(new Float32Array(data), [...shape], 'float32');
}

function shapeProblem(name: string, { shape }: StoredTensor, expected: readonly number[]): string {
  return `'${name}' has shape [${shape.join(', ')}] instead of [${expected.join(', ')}]`;
}
