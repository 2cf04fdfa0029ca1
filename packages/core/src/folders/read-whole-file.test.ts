import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readProblem } from '../system-error.js';
import { readWholeFile } from './read-whole-file.js';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-whole-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const problemOf = (path: string) =>
  readWholeFile(path).then(
    () => expect.fail('read'),
    (error: unknown) => readProblem(error),
  );

describe('readWholeFile', () => {
  it('reads a file', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'content');
    expect(Buffer.from(await readWholeFile(path)).toString()).toBe('content');
  });

  it('rejects folders and missing files as the system does', async () => {
    expect(await problemOf(folder)).toContain('it is a folder');
    expect(await problemOf(join(folder, 'absent'))).toContain('it does not exist');
  });

  it.runIf(existsSync('/dev/zero'))('rejects a device, which never ends', async () => {
    expect(await problemOf('/dev/zero')).toContain('a device, a pipe or a socket');
  });

  it.skipIf(process.platform === 'win32')('rejects a socket', async () => {
    const path = join(folder, 'socket');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await problemOf(path)).toContain('a device, a pipe or a socket');
    await new Promise((resolve) => server.close(resolve));
  });
});
