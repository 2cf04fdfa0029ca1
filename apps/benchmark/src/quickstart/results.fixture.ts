import type { MeasurementEnvironment } from '@localgrad/runs';
import { runConfigSchema } from '@localgrad/runs';
import { type QuickstartResults, type SeedResult, summarise } from './results.js';

const environment: MeasurementEnvironment = {
  runtime: 'Node 20.20.2',
  platform: 'linux x64',
  cpu: 'Some processor',
  cores: 2,
  memoryBytes: 2 ** 34,
  tfjs: '4.22.0',
  localgrad: '0.1.0',
  commit: null,
  date: '2026-01-02T03:04:05.000Z',
};

function seedResult(seed: number, accuracy: number, peakBytes: number, seconds: number): SeedResult {
  return {
    seed,
    runId: `run${seed}`,
    testAccuracy: accuracy,
    peakBytes,
    seconds,
    epochs: [1, 2].map((epoch) => ({
      epoch,
      losses: { final: 2 / epoch },
      learningRate: 0.1,
      seconds: seconds / 2,
      imagesPerSecond: 100,
      peakBytes,
      testAccuracy: accuracy - 0.1 * (2 - epoch),
      testLoss: 1 / epoch,
    })),
    trainingLoss: [10, 20, 30].map((step) => ({ step, loss: 30 / step + seed / 10 })),
  };
}

/** Results made by hand, for tests of what is made from them. */
export function handMadeResults(): QuickstartResults {
  const reference = [seedResult(1, 0.82, 4_000_000, 4), seedResult(2, 0.8, 4_000_000, 6)];
  const entry = (method: string, label: string, modules: number, seeds: readonly SeedResult[]) =>
    summarise(
      {
        method,
        label,
        modules,
        backend: 'wasm',
        predictedPeakBytes: 1,
        config: runConfigSchema.parse({ method, modules, width: 4 }),
      },
      seeds,
      reference,
    );
  return {
    formatVersion: 1,
    environment,
    backend: { name: 'wasm', threads: 1, device: 'Some processor' },
    dataset: {
      name: 'fashion-mnist-subset',
      trainImages: 5000,
      testImages: 1000,
      imageShape: [16, 16, 1],
      classes: 10,
    },
    runs: [
      entry('backprop', 'End to end', 1, reference),
      entry('greedy', 'Greedy <b>', 7, [seedResult(1, 0.7, 1_000_000, 5), seedResult(2, 0.72, 1_000_000, 5)]),
      entry('dgl', 'DGL', 7, [seedResult(1, 0.75, 1_200_000, 7), seedResult(2, 0.77, 1_200_000, 8)]),
    ],
    totalSeconds: 35,
  };
}
