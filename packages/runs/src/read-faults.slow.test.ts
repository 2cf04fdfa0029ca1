import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveConfig } from './config/resolve-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { type Call, reads, systemError, watchCalls } from './folder/faults.fixture.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const config = resolveConfig({
  method: 'greedy',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 20,
  testImages: 20,
  epochs: 1,
  batch: 10,
  logEvery: 1,
  backend: 'wasm',
  threads: 1,
});
const codes = ['EIO', 'EACCES', 'ESTALE'] as const;

let backend: BackendHandle;
let data: RunSplits;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(config);
});
afterAll(() => backend.dispose());

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-read-faults-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(parent, { recursive: true, force: true });
});

const execute = (folder: string, options: Partial<ExecuteOptions> = {}) =>
  executeRun({
    config,
    folder,
    resume: 'auto',
    backend,
    data,
    keep: { everySteps: 1 },
    trackers: { csv: true },
    ...options,
  });

const bitsOf = (folder: string) => readFileSync(join(folder, 'weights.safetensors')).toString('base64');
const stepsOf = (folder: string) => readFileSync(join(folder, 'metrics.jsonl'), 'utf8').match(/"step":\d+/g);

/** A folder with a file of the system, which must not be touched. */
function prepareFresh(folder: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, '.DS_Store'), 'mine');
}

/** A run that was interrupted after its first step. */
async function interruptedRun(): Promise<string> {
  const folder = join(parent, 'interrupted');
  prepareFresh(folder);
  const stop = new AbortController();
  const observe = ({ type }: { readonly type: string }) => {
    if (type === 'step-end') stop.abort(new Error('stop'));
  };
  await expect(execute(folder, { observers: [{ observe }], signal: stop.signal })).rejects.toThrow('stop');
  return folder;
}

describe('a run on a disk that cannot be read once', () => {
  it.each(['fresh', 'resumed', 'finished'] as const)(
    'ends with the same bits, or reports which file cannot be read: %s',
    async (start) => {
      const expected = join(parent, 'expected');
      prepareFresh(expected);
      await execute(expected);
      const [bits, steps] = [bitsOf(expected), stepsOf(expected)];
      const source = start === 'fresh' ? undefined : start === 'finished' ? expected : await interruptedRun();
      const create = (folder: string) =>
        source === undefined ? prepareFresh(folder) : cpSync(source, folder, { recursive: true });

      const calls: Call[] = [];
      create(join(parent, 'counted'));
      watchCalls(reads, (call) => void calls.push(call));
      await execute(join(parent, 'counted'));
      vi.restoreAllMocks();
      expect(calls.length).toBeGreaterThan(start === 'finished' ? 5 : 30);

      for (let failing = 0; failing < calls.length; failing++) {
        const folder = join(parent, `run-${failing}`);
        create(folder);
        const code = codes[failing % codes.length] ?? 'EIO';
        const label = `call ${failing} (${calls[failing]}: ${code})`;
        let count = 0;
        watchCalls(reads, (call) => {
          if (count++ === failing) throw systemError(code, call);
        });
        try {
          await execute(folder);
        } catch (error) {
          // The message names file and cause; a bare system error would reach the user with a stack.
          expect(LocalgradError.isInstance(error), `${label}: ${String(error)}`).toBe(true);
          expect(String(error), label).toMatch(/'.+'/);
          expect(String(error), label).toMatch(/Cannot (read|write) |cannot be (read|used)|is damaged/);
        } finally {
          vi.restoreAllMocks();
        }
        expect(await execute(folder), label).toBeDefined();
        expect(bitsOf(folder), label).toBe(bits);
        expect(stepsOf(folder), label).toEqual(steps);
        expect(readFileSync(join(folder, '.DS_Store'), 'utf8'), label).toBe('mine');
        expect(readdirSync(folder), label).not.toContain('summary.damaged.json');
        rmSync(folder, { recursive: true });
      }
    },
    600_000,
  );
});
