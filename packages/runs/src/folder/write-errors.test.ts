import { describe, expect, it } from 'vitest';
import { explainWriteError } from './write-errors.js';

/** As Node reports a failed write to an open file: without its name. */
const failed = (code: string, message: string) =>
  Object.assign(new Error(`${code}: ${message}, write`), { code, errno: -1, syscall: 'write' });

describe('explainWriteError', () => {
  it.each([
    ['ENOSPC', 'no space left on device', /^Cannot write 'runs\/a': the disk is full\. Free some space/],
    ['EFBIG', 'file too large', /^Cannot write 'runs\/a': it would be larger than .*ulimit -f.* allows\./],
    ['EPERM', 'operation not permitted', /^Cannot write 'runs\/a': not permitted\./],
    ['ETIMEDOUT', 'connection timed out', /^Cannot write 'runs\/a': ETIMEDOUT: connection timed out, write\.$/],
  ])('names the file of %s', (code, message, expected) => {
    expect((explainWriteError('runs/a', failed(code, message)) as Error).message).toMatch(expected);
  });

  it('leaves errors alone that are not of the file system', () => {
    const other = new TypeError('x is not a function');
    expect(explainWriteError('runs/a', other)).toBe(other);
  });
});
