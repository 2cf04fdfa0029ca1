import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { findOptional, selectBackend } from '@localgrad/backends';
import { LocalgradError, startOfTraining } from '@localgrad/core';
import { createTrainStep } from '@localgrad/engine';
import type { RecordingStatus } from '@localgrad/kernels';
import { buildPlan } from '@localgrad/runs';
import * as tf from '@tensorflow/tfjs';
import { optimizerOf } from './optimization.js';
import type { MeasuredNetwork } from './options.js';
import { randomBatch, randomTargets } from './stock-tape.js';

/** What a step records on the webgpu backend. `arenaBytes` is what its temporary tensors allocate. */
export type RecordedStepFacts = Extract<RecordingStatus, { mode: 'recorded' | 'ordinary' }>;

interface Dawn {
  create(flags: readonly string[]): object;
  readonly globals: object;
}

/** Options of `recordedStep`. */
export interface RecordedStepOptions extends MeasuredNetwork {
  /** Method expression. */
  readonly method: string;
}

/** A step is recorded after two equal ones; the first creates the optimizer's state. */
const steps = 6;

/**
 * Records a method's step on Dawn's null device, which checks all commands and computes nothing: exact, and without a GPU. A
 * process has one WebGPU device, so that this one has no GPU afterwards.
 *
 * @throws LocalgradError `missing-dependency` without the package `webgpu`
 */
export async function recordedStep(options: RecordedStepOptions): Promise<RecordedStepFacts> {
  await provideNullDevice();
  const backend = await selectBackend('webgpu');
  const { accumulate = 1, batch, image, classes } = options;
  const optimizer = await optimizerOf(options);
  const { compiled, dispose } = await buildPlan({ ...options, seed: 1 }, { imageShape: image, classes });
  const trainStep = createTrainStep({ compiled, optimizer, accumulate });
  const random = randomBatch(batch, image, classes);
  const { images } = random;
  const targets = randomTargets(random, { reads: compiled.reads, classes });
  try {
    for (let step = 0; step < steps; step++) {
      const { losses, terms } = trainStep.run({ images, targets }, startOfTraining);
      tf.dispose([...losses.values(), ...terms.values()]);
      const { recording } = trainStep;
      if (recording !== undefined && recording.mode !== 'tracing') return recording;
    }
    return { mode: 'ordinary', reason: 'its steps differ' };
  } finally {
    trainStep.dispose();
    optimizer.dispose();
    tf.dispose([images, ...Object.values(targets)]);
    dispose();
    backend.dispose();
  }
}

/** Keeps the device that the process already has: Dawn does not survive a second one. */
async function provideNullDevice(): Promise<void> {
  if ((globalThis as { navigator?: { gpu?: object } }).navigator?.gpu !== undefined) return;
  const folder = await findOptional('webgpu');
  if (folder === undefined) {
    throw new LocalgradError(
      'missing-dependency',
      'Recording a step requires the package webgpu (Dawn for Node), which is not installed: `npm install webgpu@0.6.2`.',
    );
  }
  const entry = pathToFileURL(createRequire(import.meta.url).resolve(folder)).href;
  const dawn: Dawn = await import(entry);
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create(['backend=null']);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
}
