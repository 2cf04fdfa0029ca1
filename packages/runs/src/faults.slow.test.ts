import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { type Call, effects, systemError, watchCalls } from './folder/faults.fixture.js';
import { VolatileDisk } from './folder/volatile-disk.fixture.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const config = runConfigSchema.parse({
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

let backend: BackendHandle;
let data: RunSplits;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(config);
});
afterAll(() => backend.dispose());

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-faults-'));
  folder = join(parent, 'run');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(parent, { recursive: true, force: true });
});

const execute = (options: Partial<ExecuteOptions> = {}) =>
  executeRun({ config, folder, resume: 'auto', backend, data, keep: { everySteps: 1 }, ...options });

/** Everything that must be the same after any fault: weights, result, events. */
function resultIn(run: string): unknown {
  const summary = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'));
  const { testAccuracy, bestTestAccuracy, steps, objectives, weights } = summary;
  const events = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type !== 'run-start' && type !== 'run-end')
    .map(({ time, seconds, imagesPerSecond, peakBytes, ...rest }) => rest);
  const bits = readFileSync(join(run, 'weights.safetensors')).toString('base64');
  return { testAccuracy, bestTestAccuracy, steps, objectives, weights, events, bits };
}

/** Files of a run that has finished and cleaned up. */
const filesOfAFinishedRun = [
  '.localgrad.json',
  'claims',
  'config.yaml',
  'environment.json',
  'identity.json',
  'metrics.jsonl',
  'summary.json',
  'weights.safetensors',
];

describe('a run on a disk with faults', () => {
  it('resumes to the same bits, or reports why not, whichever call fails once', async () => {
    const calls: Call[] = [];
    watchCalls(effects, (call) => void calls.push(call));
    await execute();
    vi.restoreAllMocks();
    const expected = resultIn(folder);
    expect(calls.length).toBeGreaterThan(60);
    expect(new Set(calls)).toEqual(
      new Set(effects.filter((call) => !['truncate', 'rmdir', 'unlinkSync'].includes(call) || calls.includes(call))),
    );

    const codes = ['EIO', 'ENOSPC', 'EROFS'] as const;
    let survived = 0;
    for (let failing = 0; failing < calls.length; failing++) {
      const code = codes[failing % codes.length] ?? 'EIO';
      const label = `call ${failing} (${calls[failing]}: ${code})`;
      folder = join(parent, `run-${failing}`);
      mkdirSync(folder);
      // A hidden file of the system, which must not be touched.
      writeFileSync(join(folder, '.DS_Store'), 'mine');
      let count = 0;
      watchCalls(effects, (call) => {
        if (count++ === failing) throw systemError(code, call);
      });
      try {
        await execute();
        survived++;
      } catch (error) {
        // The message names file and cause; a bare system error would reach the user with a stack.
        expect(LocalgradError.isInstance(error), `${label}: ${String(error)}`).toBe(true);
        expect(String(error), label).toMatch(/Cannot write '.+': .+\./);
      } finally {
        vi.restoreAllMocks();
      }
      const problems: string[] = [];
      const again = await execute({ onProblem: (message) => problems.push(message) });
      expect(again, label).toBeDefined();
      expect(resultIn(folder), label).toEqual(expected);
      const left = readdirSync(folder).sort();
      expect(
        left.filter((name) => !name.endsWith('.partial')),
        label,
      ).toEqual(['.DS_Store', ...filesOfAFinishedRun].sort());
      expect(readFileSync(join(folder, '.DS_Store'), 'utf8')).toBe('mine');
      rmSync(folder, { recursive: true });
    }
    // Cleanup, hints and clocks may fail silently; durability guarantees may not.
    expect(survived).toBeGreaterThan(0);
    expect(survived).toBeLessThan(calls.length / 2);
  }, 600_000);

  it.each(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('works without fsync (%s)', async (code) => {
    watchCalls(['fsync', 'fsyncSync'], (call) => {
      throw systemError(code, call);
    });
    expect((await execute())?.summary.steps).toBe(2);
  });

  it('works without hard links', async () => {
    watchCalls(['link'], (call) => {
      throw systemError('EPERM', call);
    });
    expect((await execute())?.summary.steps).toBe(2);
    expect(readdirSync(folder).sort()).toEqual(filesOfAFinishedRun);
  });

  it('returns the result of a finished run from a read-only file system', async () => {
    await execute();
    watchCalls(['mkdir', 'write', 'link', 'rename', 'unlink', 'writeSync', 'renameSync'], (call) => {
      throw systemError('EROFS', call);
    });
    expect(await execute()).toMatchObject({ wasFinished: true });
    folder = join(parent, 'other');
    await expect(execute()).rejects.toThrow(/Cannot write '.*other': the file system is read-only/);
  });

  it.each(['late', 'early'] as const)(
    'survives a power failure at any time; a run reported as finished is complete (names: %s)',
    async (order) => {
      await execute();
      const expected = resultIn(folder);
      rmSync(folder, { recursive: true });
      const disk = new VolatileDisk(folder);
      const crashes: string[] = [];
      disk.watch(() => {
        // Each leaves a folder with the content that reached the disk.
        if (disk.effects % 7 !== 0 && !existsSync(join(folder, 'summary.json'))) return;
        crashes.push(join(parent, `crash-${disk.effects}`));
        disk.copyTo(join(parent, `crash-${disk.effects}`), order);
      });
      await execute();
      vi.restoreAllMocks();
      const end = join(parent, 'end');
      disk.copyTo(end, order);
      expect(resultIn(end)).toEqual(expected);
      for (const name of filesOfAFinishedRun.filter((file) => file !== 'claims')) {
        expect(readFileSync(join(end, name)), name).toEqual(readFileSync(join(folder, name)));
      }
      expect(crashes.length).toBeGreaterThan(10);
      for (const crash of crashes) {
        if (existsSync(join(crash, 'summary.json'))) {
          expect(resultIn(crash), crash).toEqual(expected);
          expect(readFileSync(join(crash, 'metrics.jsonl'), 'utf8'), crash).toContain('"run-end"');
        }
        endClaims(crash);
        folder = crash;
        await execute();
        expect(resultIn(crash), crash).toEqual(expected);
      }
    },
    600_000,
  );

  it('loses no checkpointed step in a power failure', async () => {
    const disk = new VolatileDisk(folder);
    disk.watch(() => {});
    const stop = new AbortController();
    const observe = ({ type, step }: { readonly type: string; readonly step?: number }) => {
      if (type === 'step-end' && step === 1) stop.abort(new Error('stop'));
    };
    await expect(execute({ observers: [{ observe }], signal: stop.signal })).rejects.toThrow('stop');
    vi.restoreAllMocks();
    const crash = join(parent, 'crash');
    disk.copyTo(crash, 'late');
    folder = crash;
    endClaims(crash);
    const steps: number[] = [];
    await execute({ observers: [{ observe: (event) => void (event.type === 'step-end' && steps.push(event.step)) }] });
    expect(steps).toEqual([2]);
  });
});

/** Simulates the loss of the machine and its process. */
function endClaims(run: string): void {
  const claims = join(run, 'claims');
  if (!existsSync(claims)) return;
  const owner = { host: 'this machine, one boot before', pid: 1, startTicks: null };
  for (const name of readdirSync(claims)) {
    if (name.endsWith('.json')) writeFileSync(join(claims, name), JSON.stringify({ owner, outcome: 'stopped' }));
  }
}
