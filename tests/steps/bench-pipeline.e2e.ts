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
