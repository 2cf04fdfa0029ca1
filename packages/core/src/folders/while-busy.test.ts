import { describe, expect, it } from 'vitest';
import { type BusyOptions, whileBusy, whileBusySync } from './while-busy.js';

const windows: BusyOptions = { platform: 'win32', pauses: [1, 1] };

/** Fails with a code the first `times` times. */
function failing(code: string, times: number) {
  let calls = 0;
  const work = () => {
    if (++calls <= times) throw Object.assign(new Error(code), { code });
    return 'done';
  };
  return { work, calls: () => calls };
}

describe.each([
  ['whileBusy', (work: () => string, options: BusyOptions) => whileBusy(async () => work(), options)],
  ['whileBusySync', async (work: () => string, options: BusyOptions) => whileBusySync(work, options)],
])('%s', (_, repeat) => {
  it.each(['EPERM', 'EACCES', 'EBUSY'])('repeats a call that Windows rejects with %s', async (code) => {
    const { work, calls } = failing(code, 2);
    expect(await repeat(work, windows)).toBe('done');
    expect(calls()).toBe(3);
  });

  it('throws the error of the last attempt', async () => {
    const { work, calls } = failing('EPERM', 9);
    await expect(repeat(work, windows)).rejects.toThrow('EPERM');
    expect(calls()).toBe(3);
  });

  it.each([
    ['ENOENT', windows],
    ['EPERM', { ...windows, platform: 'linux' }],
    ['EACCES', { ...windows, platform: 'darwin' }],
  ] as const)('calls once for %s with %j', async (code, options) => {
    const { work, calls } = failing(code, 1);
    await expect(repeat(work, options)).rejects.toThrow(code);
    expect(calls()).toBe(1);
  });
});
