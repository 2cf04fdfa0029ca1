import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@localgrad/nn/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timeless } from './results.js';

const kills = Number(process.env.LOCALGRAD_TEST_KILLS ?? 5);
const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');
const settings = [
  ...['--backbone', 'resnet14', '--width', '4', '--resize', '8', '--modules', '4'],
  ...['--train-images', '600', '--test-images', '200', '--epochs', '3', '--batch', '20', '--accumulate', '2'],
  ...['--backend', 'wasm', '--threads', '1', '--checkpoint-steps', '5', '--log-every', '4'],
];

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-pipeline-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trains in a process of its own. @param kill called with the process while it runs @returns its exit code */
function train(output: string, flags: readonly string[], kill?: (child: ChildProcess) => void): Promise<number | null> {
  const child = spawn(process.execPath, [program, 'train', ...settings, '--output', output, ...flags], {
    cwd: folder,
    stdio: 'ignore',
  });
  kill?.(child);
  return new Promise((done) => child.once('exit', done));
}

/** Kills a process some milliseconds after it has written an event. */
async function killLater(child: ChildProcess, output: string, milliseconds: number): Promise<void> {
  const file = join(folder, output, 'metrics.jsonl');
  const events = () => (existsSync(file) ? readFileSync(file, 'utf8').length : 0);
  const before = events();
  while (child.exitCode === null && events() <= before) await delay(20);
  await delay(milliseconds);
  child.kill('SIGKILL');
}

/** Weights and events of a finished run, without times and memory. */
function resultOf(output: string): unknown {
  const lines = readFileSync(join(folder, output, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    weights: readFileSync(join(folder, output, 'weights.safetensors')).toString('base64'),
    events: events.filter(({ type }) => type !== 'run-start' && type !== 'run-end').map(timeless),
  };
}

describe('a run on several workers', () => {
  it.each([
    ['infopro', 0],
    ['mlaan(dgl)', 1],
  ])(
    'ends with the bits of a sequential one, whenever it is killed and with whatever workers it resumes: %s, delay %i',
    async (method, delay) => {
      const [sequential, killed] = [`sequential-${delay}`, `killed-${delay}`];
      const plan = ['--method', method, '--delay', String(delay)];
      expect(await train(sequential, plan)).toBe(0);
      const random = createRandom(11);
      const placements = [['--workers', '2'], ['--placement', '0 1-3'], ['--workers', '4'], [], ['--workers', '3']];
      for (const workers of placements.slice(0, kills)) {
        await train(killed, [...plan, ...workers], (child) => void killLater(child, killed, random.integer(1500)));
      }
      expect(await train(killed, [...plan, '--workers', '2'])).toBe(0);
      expect(resultOf(killed)).toEqual(resultOf(sequential));
    },
  );
});
