import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder } from './cache-folder.js';

beforeEach(() => {
  for (const name of ['LOCALGRAD_CACHE', 'XDG_CACHE_HOME']) vi.stubEnv(name, undefined);
});
afterEach(() => void vi.unstubAllEnvs());

/** Node.js looks for the home folder in other variables on Windows. */
const isPosix = process.platform !== 'win32';

describe.runIf(isPosix)('cacheFolder', () => {
  it.each([
    [{ HOME: '/home/me' }, '/home/me/.cache/localgrad'],
    [{ HOME: '/home/me', XDG_CACHE_HOME: '/caches' }, '/caches/localgrad'],
    [{ HOME: '/home/me', XDG_CACHE_HOME: '/caches', LOCALGRAD_CACHE: '/scratch' }, '/scratch'],
    [{ HOME: '/home/me', XDG_CACHE_HOME: '', LOCALGRAD_CACHE: '' }, '/home/me/.cache/localgrad'],
  ])('is, with %j, %s', (variables, folder) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    expect(cacheFolder()).toBe(join(folder));
  });

  it('says what to set for a user without a home folder', () => {
    vi.stubEnv('HOME', '');
    expect(() => cacheFolder()).toThrow(/no home folder\. Set LOCALGRAD_CACHE .* or HOME/);
    vi.stubEnv('LOCALGRAD_CACHE', '/scratch');
    expect(cacheFolder()).toBe('/scratch');
  });
});

describe('homedir', () => {
  // The reason why cacheFolder catches its errors.
  it.runIf(isPosix && process.getuid?.() === 0)('throws for a user that the system does not list', () => {
    const { HOME: _, ...env } = process.env;
    const program = "try { require('node:os').homedir() } catch { console.log('thrown') }";
    const { stdout } = spawnSync(process.execPath, ['--eval', `process.setuid(54321); ${program}`], { env });
    expect(stdout.toString()).toBe('thrown\n');
  });
});
