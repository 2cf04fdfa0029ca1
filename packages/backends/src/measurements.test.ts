import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keptMeasurements } from './measurements.node.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-cache-'));
  vi.stubEnv('LOCALGRAD_CACHE', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const file = 'numbers.json';
const isValue = (value: unknown): value is number => typeof value === 'number';
const numbers = (...circumstances: string[]) => keptMeasurements({ threads: 1 }, { file, circumstances, isValue });

describe('keptMeasurements', () => {
  it.skipIf(process.platform === 'win32')('keeps nothing for a user without a home folder', async () => {
    for (const name of ['HOME', 'XDG_CACHE_HOME', 'LOCALGRAD_CACHE']) vi.stubEnv(name, '');
    await numbers().write(1);
    expect(await numbers().read()).toBeUndefined();
  });

  it('keeps one value for each set of circumstances', async () => {
    await numbers('a').write(1);
    await numbers('b').write(2);
    await numbers('a').write(3);
    expect([await numbers('a').read(), await numbers('b').read(), await numbers('c').read()]).toEqual([
      3,
      2,
      undefined,
    ]);
  });

  it('drops the oldest of 500 values, and leaves no temporary file', async () => {
    await numbers('first').write(0);
    const text = await readFile(join(folder, file), 'utf8');
    const others = Array.from({ length: 498 }, (_, index) => text.replace('first', `${index}`).slice(1, -2));
    await writeFile(join(folder, file), `{${[text.slice(1, -2), ...others].join(',')}}`);
    await numbers('499th').write(1);
    expect(await numbers('first').read()).toBe(0);
    await numbers('last').write(2);
    expect(await numbers('first').read()).toBeUndefined();
    expect([await numbers('0').read(), await numbers('last').read()]).toEqual([0, 2]);
    expect(Object.keys(JSON.parse(await readFile(join(folder, file), 'utf8')))).toHaveLength(500);
    expect(await readdir(folder)).toEqual([file]);
  });

  it('ignores values of other programs', async () => {
    await numbers('a').write(1);
    const text = await readFile(join(folder, file), 'utf8');
    await writeFile(join(folder, file), text.replace(': 1', ': "fast"'));
    expect(await numbers('a').read()).toBeUndefined();
  });
});
