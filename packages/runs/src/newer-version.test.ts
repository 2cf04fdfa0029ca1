import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from './config/resolve-config.js';
import { stopText } from './early-stop.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { lookForEarlyStop, readRunState } from './folder/run-state.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const config = resolveConfig({
  method: 'greedy',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 20,
  testImages: 10,
  epochs: 1,
  batch: 10,
  backend: 'cpu',
});

let parent: string;
let backend: BackendHandle;
let data: RunSplits;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-newer-'));
  backend = await selectBackend('cpu');
  data = await loadData(config);
  await execute(join(parent, 'finished'));
  const stop = new AbortController();
  const observe = ({ type }: { readonly type: string }) => {
    if (type === 'step-end') stop.abort(new Error('stop'));
  };
  const interrupted = execute(join(parent, 'interrupted'), { observers: [{ observe }], signal: stop.signal });
  await expect(interrupted).rejects.toThrow('stop');
  writeFileSync(
    join(parent, 'interrupted', 'stopped.json'),
    stopText({ rule: 'rule', epoch: 1, testAccuracy: 0.5, reason: 'below the median' }),
  );
}, 30_000);
afterAll(() => {
  backend.dispose();
  rmSync(parent, { recursive: true, force: true });
});

const execute = (folder: string, options: Partial<ExecuteOptions> = {}) =>
  executeRun({ config, folder, resume: 'auto', backend, data, keep: { everySteps: 1 }, ...options });

/** Content by path, without claims. */
function everything(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const contents = files.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(contents.filter((path) => !path.includes('claims')).map((path) => [path, readFileSync(path, 'utf8')]));
}

/** A copy of a run, with a file of a newer version. */
function copyWithNewer(start: string, name: string): string {
  const folder = mkdtempSync(join(parent, 'copy-'));
  cpSync(join(parent, start), folder, { recursive: true });
  const file = join(folder, name);
  const text = readFileSync(file, 'utf8').replace(/"formatVersion": ?1\b/, '"formatVersion": 2');
  writeFileSync(file, text);
  return folder;
}

describe('a run folder with files of a newer version of localgrad', () => {
  it.each([
    ['finished', 'summary.json'],
    ['finished', 'identity.json'],
    ['finished', '.localgrad.json'],
    ['interrupted', 'checkpoints/step-00000001-000001.json'],
    ['interrupted', 'stopped.json'],
  ])('is rejected and left as it is: %s, %s', async (start, name) => {
    const folder = copyWithNewer(start, name);
    const before = everything(folder);
    await expect(execute(folder)).rejects.toMatchObject({
      code: 'invalid-data',
      message: expect.stringMatching(/was written by a newer version of localgrad: .* Update localgrad\.$/),
    });
    expect(everything(folder)).toEqual(before);
  });

  it.each([
    ['finished', 'summary.json'],
    ['interrupted', 'stopped.json'],
  ])('is unreadable, with the reason: %s', async (start, name) => {
    const folder = copyWithNewer(start, name);
    const message = expect.stringContaining(`${name}' was written by a newer version`);
    expect(await readRunState(folder, { stopRule: 'rule' })).toMatchObject({ status: 'unreadable', message });
    if (name === 'stopped.json') expect(await lookForEarlyStop(folder, 'rule')).toEqual({ problem: message });
  });

  it('is replaced where --resume never says so', async () => {
    const folder = copyWithNewer('finished', 'summary.json');
    expect(await execute(folder, { resume: 'never' })).toMatchObject({ wasFinished: false });
    expect(existsSync(join(folder, 'summary.damaged.json'))).toBe(false);
    expect(readFileSync(join(folder, 'summary.json'), 'utf8')).toContain('"formatVersion": 1');
  });
});
