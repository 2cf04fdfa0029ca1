import { classifierObjective, memberOf, rejectUnknownKeys, requireOption } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { CheckpointPolicy } from './checkpoint.js';
import type { RunStartEvent } from './events.js';
import type { TrainOptions } from './trainer.js';

const optionNames = [
  'compiled',
  'optimizer',
  'learningRate',
  'batches',
  'validationBatches',
  'testBatches',
  'epochs',
  'logEvery',
  'evaluateEvery',
  'metric',
  'observers',
  'availableBytes',
  'signal',
  'stopWhen',
  'checkpoints',
  'resume',
  'executor',
  'createStep',
  'accumulate',
  'seed',
  'recordSteps',
  'pipeline',
] as const satisfies readonly (keyof TrainOptions)[];

const policyNames = [
  'everyEpochs',
  'everySteps',
  'isDue',
  'save',
] as const satisfies readonly (keyof CheckpointPolicy)[];

/** @throws LocalgradError `invalid-option`, `unknown-name` */
export function checkOptions(options: TrainOptions): void {
  rejectUnknownKeys('train', options, optionNames);
  const {
    epochs,
    logEvery = 1,
    evaluateEvery = 1,
    accumulate = 1,
    batches,
    checkpoints = {},
    observers = [],
  } = options;
  rejectUnknownKeys('train, checkpoints', checkpoints, policyNames);
  for (const [index, observer] of observers.entries()) {
    const isObserver = typeof memberOf(observer, 'observe') === 'function';
    requireOption(isObserver, 'train', `observers[${index}]`, observer, 'objects with a method observe(event)');
  }
  const { everyEpochs = 1, everySteps = 1 }: Partial<CheckpointPolicy> = checkpoints;
  for (const [name, value] of Object.entries({
    epochs,
    logEvery,
    evaluateEvery,
    accumulate,
    everyEpochs,
    everySteps,
  })) {
    requireOption(Number.isInteger(value) && value >= 1, 'train', name, value, 'integers ≥ 1');
  }
  requireOption(
    batches.batchesPerEpoch >= 1,
    'train',
    'batches',
    batches.batchesPerEpoch,
    'at least one batch per epoch',
  );
}

export function runStart(
  { compiled, batches, epochs, resume }: TrainOptions,
  predictedPeakBytes: number,
): RunStartEvent {
  const classifier = classifierObjective(compiled.objectives)?.id;
  const weights = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight');
  return {
    type: 'run-start',
    method: compiled.plan.method,
    backbone: compiled.network.backbone.name,
    modules: compiled.network.modules.length,
    ...(classifier === undefined ? {} : { classifier }),
    backend: tf.getBackend(),
    epochs,
    stepsPerEpoch: batches.batchesPerEpoch,
    batchSize: batches.batchSize,
    parameters: weights.reduce((sum, { size }) => sum + size, 0),
    predictedPeakBytes,
    ...(resume === undefined ? {} : { resumedAtStep: resume.progress.step }),
  };
}

/** Yields to the event loop between steps, so that signals, timers and input are handled. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else turns.add(resolve);
  });
}

/** Browsers delay timers by 4 ms, longer than many steps, but not messages. */
const turns = {
  waiting: [] as (() => void)[],
  channel: undefined as MessageChannel | undefined,
  add(resolve: () => void): void {
    if (this.channel === undefined) {
      this.channel = new MessageChannel();
      this.channel.port1.onmessage = () => this.waiting.shift()?.();
    }
    this.waiting.push(resolve);
    this.channel.port2.postMessage(undefined);
  },
};
