import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');
const settings = [
  ...['--backbone', 'resnet14', '--width', '4', '--resize', '8', '--modules', '4', '--method', 'dgl'],
  ...['--train-images', '600', '--test-images', '200', '--epochs', '3', '--batch', '20'],
  ...[
    '--backend',
    'wasm',
    '--threads',
    '1',
    '--checkpoint-steps',
    '5',
    '--log-every',
    '1',
    '--asynchronous',
    'buffer: 2, slow: 2@3',
  ],
];

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-asynchronous-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Trains in a process of its own. @param onStart called with the process while it runs */
function train(flags: readonly string[], onStart?: (child: ChildProcess) => void): Promise<Ended> {
  const child = spawn(process.execPath, [program, 'train', ...settings, ...flags], { cwd: folder });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.on('data', (text) => {
    output.stderr += text;
  });
  onStart?.(child);
  return new Promise((done) => child.once('close', (code) => done({ code, ...output })));
}

/** Sends a signal after some more steps. */
async function signalLater(child: ChildProcess, name: string, signal: NodeJS.Signals): Promise<void> {
  const file = join(folder, name, 'metrics.jsonl');
  const steps = () => (existsSync(file) ? readFileSync(file, 'utf8').split('"step-end"').length - 1 : 0);
  const before = steps();
  while (child.exitCode === null && steps() < before + 12) await delay(20);
  child.kill(signal);
}

describe('a run with asynchronous workers', () => {
  it('is killed, resumes with the same workers only, and stores how often modules have trained', async () => {
    const flags = ['--output', 'run', '--workers', '4'];
    const killed = await train(flags, (child) => void signalLater(child, 'run', 'SIGKILL'));
    expect(killed.code).toBe(null);
    const other = await train(['--output', 'run', '--workers', '2']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/different run: workers: 4 there, 2 here/);
    const stopped = await train(flags, (child) => void signalLater(child, 'run', 'SIGTERM'));
    expect(stopped.code).not.toBe(0);
    const { code, stdout } = await train(flags);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^updates +1\.00 \d\.\d\d \d\.\d\d \d\.\d\d per batch, of modules 0 to 3$/m);
    const summary = JSON.parse(readFileSync(join(folder, 'run', 'summary.json'), 'utf8'));
    expect(summary.steps).toBe(90);
    expect(summary.resumptions).toBeGreaterThanOrEqual(1);
    expect(summary.timing).toHaveLength(4);
    expect(summary.timing[0]).toEqual({ module: 0, updatesPerBatch: 1, meanAge: 0, repeated: 0 });
  });
});
