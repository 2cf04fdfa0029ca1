import { vi } from 'vitest';
import { type FileSystem, fileSystem } from './file-system.js';

export type Call = keyof FileSystem;

/** Calls that modify files or sync them to disk. */
export const effects: readonly Call[] = [
  ...(['mkdir', 'open', 'write', 'truncate', 'fsync', 'link', 'rename', 'unlink', 'rmdir'] as const),
  ...(['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'unlinkSync'] as const),
];

/** Calls that read files, their names and their sizes. */
export const reads: readonly Call[] = [
  ...(['readdir', 'readFile', 'stat', 'open'] as const),
  ...(['readdirSync', 'openSync', 'readSync', 'sizeSync'] as const),
];

type AnyCall = (...args: unknown[]) => unknown;

/** Called before each call; the call throws any error that it throws. */
export function watchCalls(calls: readonly Call[], watch: (call: Call, args: readonly unknown[]) => void): void {
  for (const call of calls) {
    const actual = fileSystem[call] as AnyCall;
    const isSync = call.endsWith('Sync');
    vi.spyOn(fileSystem as Record<Call, AnyCall>, call).mockImplementation((...args: unknown[]) => {
      try {
        watch(call, args);
      } catch (error) {
        if (isSync) throw error;
        return Promise.reject(error);
      }
      return actual(...args);
    });
  }
}

export function systemError(code: string, call: Call): Error {
  return Object.assign(new Error(`${code}: injected, ${call}`), { code });
}
