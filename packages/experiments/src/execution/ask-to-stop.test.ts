import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askToStop } from './ask-to-stop.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-stop-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('askToStop', () => {
  // Windows itself has only the second way.
  it.skipIf(process.platform === 'win32').each([
    ['linux', 'SIGTERM'],
    ['win32', 'disconnect'],
  ] as const)('lets a worker on %s save first', async (platform, event) => {
    const program = join(folder, `${platform}.cjs`);
    writeFileSync(
      program,
      `process.on('${event}', () => setTimeout(() => process.exit(7), 10)); process.send('ready'); setInterval(() => {}, 1000);`,
    );
    const child = fork(program, { execArgv: [] });
    await once(child, 'message');
    const ended = once(child, 'exit');
    askToStop(child, platform);
    // A second request does no harm.
    if (platform === 'win32') askToStop(child, platform);
    expect(await ended).toEqual([7, null]);
  });
});
