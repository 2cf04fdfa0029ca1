import type { BenchPipelineReport } from '@localgrad/bench';
import { expect, it } from 'vitest';
import { benchReport } from './bench.fixture.js';

function benchPipeline(...flags: readonly string[]): BenchPipelineReport['rows'] {
  const size = ['--modules', '2', '--batch', '8', '--steps', '3', '--repeats', '1'];
  return benchReport<BenchPipelineReport>('pipeline', ...size, ...flags).rows;
}

it('bench pipeline measures one process without delays beside workers, whose gradients may be late', () => {
  const [process, workers] = benchPipeline();
  const [sameProcess, lateWorkers] = benchPipeline('--gradient-delay', '1');
  expect([process?.workers, process?.threads, workers?.workers, workers?.placement]).toEqual([null, 1, 2, '0 1']);
  expect(sameProcess?.peakBytes).toBe(process?.peakBytes);
  // Workers keep inputs and weights of earlier steps.
  expect(lateWorkers?.peakBytes ?? 0).toBeGreaterThan(workers?.peakBytes ?? 0);
  // Where gradients are late, workers need not take turns.
  expect([workers?.predictedImagesPerSecond, typeof lateWorkers?.predictedImagesPerSecond]).toEqual([null, 'number']);
});

it('bench pipeline --independent measures one thread, and copies of the network that train side by side', () => {
  const rows = benchPipeline('--methods', 'greedy', '--threads', '2', '--independent');
  expect(rows.map(({ processes, workers, threads }) => [processes, workers, threads])).toEqual([
    [1, null, 2],
    [1, null, 1],
    [2, null, 1],
    [null, 2, 1],
  ]);
  const [alone, single, copies] = rows;
  expect(copies?.peakBytes).toBe(single?.peakBytes);
  for (const row of rows) {
    const ratio = row.imagesPerSecond.median / (alone?.imagesPerSecond.median ?? Number.NaN);
    expect(row.relativeToProcess).toBeCloseTo(ratio);
  }
});
