import { posix, win32 } from 'node:path';
import { describe, expect, it } from 'vitest';
import { relativeAddress } from './relative-address.js';

describe('relativeAddress', () => {
  it.each([
    [posix, '/sweeps/demo/report', '/sweeps/demo/runs/1f', '../runs/1f'],
    [posix, '/sweeps/demo', '/sweeps/demo/runs/a #1', './runs/a%20%231'],
    [posix, '/reports', '/sweeps/demo/runs/1f', '../sweeps/demo/runs/1f'],
    [posix, '/home/me/reports', '/sweeps/demo/runs/1f', null],
    [win32, 'C:\\sweeps\\demo\\report', 'C:\\sweeps\\demo\\runs\\1f', '../runs/1f'],
    [win32, 'c:\\sweeps\\demo\\report', 'C:\\Sweeps\\demo\\runs\\1f', '../runs/1f'],
    [win32, 'C:\\reports', 'D:\\runs\\1f', null],
    [win32, 'C:\\reports', '\\\\server\\share\\runs\\1f', null],
  ])('%# of %o', (paths, page, folder, address) => {
    expect(relativeAddress(page, folder, paths)).toBe(address);
  });
});
