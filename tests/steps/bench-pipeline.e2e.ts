import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BenchPipelineReport } from '@localgrad/bench';
import { expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');

function benchPipeline(...flags: readonly string[]): BenchPipelineReport['rows'] {
  if (!existsSync(program)) throw new Error(`${program} is missing: this test requires a build; run npm run test:e2e.`);
  const network = ['--methods', 'backprop', '--backbone', 'resnet8', '--width', '4', '--modules', '2'];
  const size = ['--image', '16x16x3', '--batch', '8', '--threads', '1', '--steps', '3', '--repeats', '1'];
  const args = [program, 'bench', 'pipeline', ...network, ...size, '--json', ...flags];
  const report: BenchPipelineReport = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  return report.rows;
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
