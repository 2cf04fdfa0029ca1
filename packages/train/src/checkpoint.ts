import { LocalgradError, type Parameter } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import type { Optimizer, StoredTensor } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import type { EpochRecord } from './events.js';
import type { LossLogState } from './loss-log.js';
import { numberOf, type StoredNumber, storedNumber } from './stored-number.js';

/** Where a run stands, besides its tensors: plain data. Order and augmentation of images follow from it and the seed. */
export interface TrainingProgress {
  /** Steps done. */
  readonly step: number;
  /** Epoch that the next step belongs to, from 1. */
  readonly epoch: number;
  /** Batches of that epoch that are done. */
  readonly batchesDone: number;
  readonly losses: LossLogState;
  /** Epochs that have ended. */
  readonly records: readonly StoredRecord[];
  readonly seconds: number;
  readonly totalSeconds: number;
  /** Of training steps in the unfinished epoch. */
  readonly epochSeconds: number;
  readonly epochPeakBytes: number;
  readonly peakBytes: number;
  /** How often the run was taken up from a checkpoint before. */
  readonly resumptions: number;
}

/** The loss on test images may be anything: training stops at losses of its own only. */
export type StoredRecord = Omit<EpochRecord, 'testLoss'> & { readonly testLoss?: StoredNumber };

export function storedRecord({ testLoss, ...record }: EpochRecord): StoredRecord {
  return testLoss === undefined ? record : { ...record, testLoss: storedNumber(testLoss) };
}

export function recordOf({ testLoss, ...record }: StoredRecord): EpochRecord {
  return testLoss === undefined ? record : { ...record, testLoss: numberOf(testLoss) };
}

/**
 * Everything that a run needs to go on as if nothing had happened. Tensors are named `parameters/<name>` (weights of
 * backbone and auxiliary networks, moving averages, running statistics) and `optimizer/<name>`.
 */
export interface TrainingCheckpoint {
  readonly progress: TrainingProgress;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** When checkpoints are made, and who keeps them. */
export interface CheckpointPolicy {
  /** Epochs between two checkpoints, made after the evaluation. Default 1. */
  readonly everyEpochs?: number;
  /** Steps between two further checkpoints, counted from the run's start, ends of epochs included. Default: none. */
  readonly everySteps?: number;
  /** Asked after each step: true makes a further checkpoint, e.g. after some time. Has no influence on results. */
  isDue?(): boolean;
  /** Training goes on when it has resolved; an error ends the run. */
  save(checkpoint: TrainingCheckpoint): Promise<void> | void;
}

const parameters = 'parameters/';
const slots = 'optimizer/';

/** Copies all tensors of a run to plain data. */
export async function captureTensors(compiled: CompiledPlan, optimizer: Optimizer): Promise<Map<string, StoredTensor>> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { value }] of compiled.parameters) tensors.set(`${parameters}${name}`, await stored(value));
  for (const [name, value] of optimizer.state()) tensors.set(`${slots}${name}`, await stored(value));
  return tensors;
}

/**
 * Puts the tensors of a checkpoint into a run that was built from the same config.
 *
 * @throws LocalgradError `invalid-data` that lists what is missing, left over or of another shape; nothing is changed then
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
    else if (tensor.shape.join() !== parameter.shape.join()) problems.push(shapeProblem(name, tensor, parameter.shape));
    else assignments.push([parameter, tensor]);
  }
  const state: (readonly [string, StoredTensor])[] = [];
  for (const [key, tensor] of tensors) {
    const name = key.slice(key.indexOf('/') + 1);
    const parameter = compiled.parameters.get(name);
    if (parameter === undefined || !(key.startsWith(parameters) || key.startsWith(slots))) {
      problems.push(`'${key}' belongs to nothing in this run`);
    } else if (key.startsWith(slots)) {
      if (tensor.shape.join() === parameter.shape.join()) state.push([name, tensor]);
      else problems.push(shapeProblem(key, tensor, parameter.shape));
    }
  }
  if (problems.length > 0) {
    throw new LocalgradError(
      'invalid-data',
      `The checkpoint is of another network, method or optimizer: ${problems.join('; ')}.`,
      { problems },
    );
  }
  for (const [parameter, tensor] of assignments) parameter.assign(restored(tensor));
  optimizer.load(new Map(state.map(([name, tensor]) => [name, restored(tensor)])));
}

async function stored(tensor: tf.Tensor): Promise<StoredTensor> {
  // A copy: some backends hand out their own memory, which later steps write to.
  const data = Float32Array.from(await tensor.data<'float32'>());
  return { dtype: 'F32', shape: [...tensor.shape], data };
}

function restored({ data, shape }: StoredTensor): tf.Tensor {
  return tf.tensor(Float32Array.from(data as Float32Array), [...shape], 'float32');
}

function shapeProblem(name: string, { shape }: StoredTensor, expected: readonly number[]): string {
  return `'${name}' has shape [${shape.join(', ')}] instead of [${expected.join(', ')}]`;
}
