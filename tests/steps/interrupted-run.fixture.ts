import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { createNetwork, type LocalLearningMethod, type Optimizer, resolvePartition } from '@localgrad/core';
import { createBatches, fashionMnistSubset, type ImageDataset, resizeTo, take } from '@localgrad/data';
import { compilePlan } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { cosine } from '@localgrad/nn/schedules';
import { readSafetensors, writeSafetensors } from '@localgrad/nn/serialization';
import {
  captureTensors,
  type TrainingCheckpoint,
  type TrainingEvent,
  type TrainOptions,
  train,
} from '@localgrad/train';
import { expect } from 'vitest';

export const epochs = 2;
export const batchesPerEpoch = 4;

/** A running backend with small images. */
export interface InterruptionSetting {
  readonly backend: BackendHandle;
  readonly training: ImageDataset;
  readonly testing: ImageDataset;
}

export async function interruptionSetting(): Promise<InterruptionSetting> {
  const backend = await selectBackend(process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm', { threads: 2 });
  const splits = await fashionMnistSubset();
  return { backend, training: resizeTo(take(splits.train, 40), 8), testing: resizeTo(take(splits.test, 20), 8) };
}

export interface InterruptedRun extends Pick<TrainOptions, 'createStep' | 'accumulate'> {
  readonly method: LocalLearningMethod;
  /** Steps after which the run is interrupted. */
  readonly interruptions: readonly number[];
  readonly createOptimizer?: () => Optimizer;
}

/** Stops after the given steps with a checkpoint, like a signal does, and passes it as bytes to the next attempt. */
export async function runInterrupted(
  { training, testing }: InterruptionSetting,
  { method, interruptions, createOptimizer = () => sgd({ learningRate: 0.1 }), ...options }: InterruptedRun,
) {
  let checkpoint: TrainingCheckpoint | undefined;
  const metrics: unknown[] = [];
  const peaks = new Map<number, number>();
  for (const stopAt of [...interruptions, undefined]) {
    const scope = createScope(5);
    const backbone = cifarResNet({ depth: 14, widths: [4, 4, 8, 8] }).build({
      inputShape: training.imageShape,
      classes: 10,
      scope,
    });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 4 }));
    const compiled = compilePlan(network, method.plan(network), { scope });
    const optimizer = createOptimizer();
    const batches = createBatches(training, {
      batchSize: 12,
      shuffle: true,
      seed: 3,
      augmentation: { pad: 1, flip: true },
      withImages: compiled.reads.includes('images'),
    });
    const stop = new AbortController();
    const reason = new Error('stopped by the test');
    let saved: TrainingCheckpoint | undefined;
    const observe = (event: TrainingEvent) => {
      if (event.type === 'step-end' && event.step === stopAt) stop.abort(reason);
      const { seconds, totalSeconds, imagesPerSecond, peakBytes, ...rest } = event as unknown as Record<
        string,
        unknown
      >;
      if (event.type !== 'run-start' && event.type !== 'run-end') metrics.push(rest);
      if (event.type === 'epoch-end') peaks.set(event.epoch, event.peakBytes);
    };
    try {
      const { resumptions } = await train({
        ...options,
        compiled,
        optimizer,
        learningRate: cosine({ learningRate: 0.1 }),
        batches,
        testBatches: createBatches(testing, { batchSize: 10, normalization: batches.normalization }),
        epochs,
        seed: 21,
        logEvery: 3,
        observers: [{ observe }],
        signal: stop.signal,
        checkpoints: {
          // Only due at the end: earlier checkpoints are saved because of the signal.
          everyEpochs: 1 + epochs,
          save(checkpoint) {
            const { tensors } = readSafetensors(writeSafetensors({ tensors: checkpoint.tensors, metadata: {} }));
            saved = { progress: JSON.parse(JSON.stringify(checkpoint.progress)), tensors };
          },
        },
        ...(checkpoint === undefined ? {} : { resume: checkpoint }),
      });
      const tensors = await captureTensors(compiled, optimizer);
      return { tensors, metrics, peaks, resumptions };
    } catch (error) {
      if (error !== reason) throw error;
      // No event follows the checkpoint, even after the last step of an epoch, so no metrics have to be removed.
      expect(saved?.progress.step).toBe(stopAt);
      checkpoint = saved;
    } finally {
      optimizer.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
    }
  }
  throw new Error('unreachable');
}

/** Expects two runs to have ended with the same bits. */
export function expectSameBits(actual: TrainingCheckpoint['tensors'], expected: TrainingCheckpoint['tensors']): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [key, { data }] of expected) {
    expect(Buffer.compare(bytesOf(actual.get(key)?.data), bytesOf(data)), key).toBe(0);
  }
}

function bytesOf(data: ArrayBufferView | undefined): Buffer {
  return data === undefined ? Buffer.alloc(0) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
