import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BenchReport } from '@localgrad/bench';
import { expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');

it('bench step measures stock TensorFlow.js beside the engine, each in a process of its own', () => {
  if (!existsSync(program)) throw new Error(`${program} is missing: this test requires a build; run npm run test:e2e.`);
  const network = ['--methods', 'backprop', '--backbone', 'resnet8', '--width', '4', '--image', '16x16x3'];
  const size = ['--batch', '4', '--backend', 'wasm', '--threads', '1', '--repeats', '2', '--include', 'stock-tape'];
  const args = [program, 'bench', 'step', ...network, ...size, '--json'];
  const { rows, missing }: BenchReport = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(missing).toEqual([]);
  const [engine, tape] = ['backprop', 'stock-tape'].map((name) => rows.find(({ method }) => method === name));
  for (const row of [engine, tape]) expect(row?.stepMs?.median ?? 0).toBeGreaterThan(0);
  // Three stages of activations of 16·16·4 floats, 4 images: the tape keeps dozens of them, and more than the engine.
  expect(tape?.peakBytes ?? 0).toBeGreaterThan(20 * 4 * 4 * 16 * 16 * 4);
  expect(tape?.peakBytes ?? 0).toBeGreaterThan(engine?.peakBytes ?? 0);
});
