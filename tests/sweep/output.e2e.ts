import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../../apps/benchmark/dist/cli.js');
const tiny =
  '--backbone resnet8 --width 2 --modules 2 --resize 8 --train-images 40 --test-images 20 --batch 20 --backend cpu'.split(
    ' ',
  );

let folder: string;
beforeAll(() => {
  if (!existsSync(program))
    throw new Error(`${program} is missing: these tests require a build; run npm run test:e2e.`);
  folder = mkdtempSync(join(tmpdir(), 'localgrad-output-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const trainInto = (name: string, epochs: number) => [
  program,
  'train',
  ...tiny,
  '--epochs',
  String(epochs),
  '--output',
  join(folder, name),
];

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => child.once('exit', (code) => done(code)));
}

describe.skipIf(process.platform === 'win32')('a process whose output fails', () => {
  it('finishes its run after the readers of standard error and output have closed', async () => {
    const child = spawn(process.execPath, trainInto('unread', 4), { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr?.once('data', () => {
      child.stderr?.destroy();
      child.stdout?.destroy();
    });
    expect(await exitOf(child)).toBe(0);
    expect(readdirSync(join(folder, 'unread'))).toContain('summary.json');
  }, 120_000);

  it.skipIf(!existsSync('/dev/full'))(
    'finishes its run if standard error is redirected to a full disk',
    () => {
      const full = openSync('/dev/full', 'w');
      const { status } = spawnSync(process.execPath, trainInto('full', 1), { stdio: ['ignore', 'ignore', full] });
      expect(status).toBe(0);
      expect(readdirSync(join(folder, 'full'))).toContain('summary.json');
    },
    120_000,
  );

  it.skipIf(!existsSync('/dev/full'))(
    'reports a result that could not be written to standard output',
    () => {
      const full = openSync('/dev/full', 'w');
      const { status, stderr } = spawnSync(process.execPath, [program, '--version'], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      });
      expect(stderr).toBe(
        'localgrad: The result could not be written to standard output: ENOSPC: no space left on device, write.\n',
      );
      expect(status).toBe(1);
    },
    60_000,
  );

  it('stops at a checkpoint when its terminal closes, even if that is signaled twice', async () => {
    const child = spawn(process.execPath, trainInto('closed', 100_000), { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    const ended = exitOf(child);
    while (!text.includes('epoch 2/')) await delay(50);
    child.kill('SIGHUP');
    child.kill('SIGHUP');
    expect(await ended).toBe(130);
    expect(text).not.toMatch(/\n\s+at /);
    expect(readdirSync(join(folder, 'closed', 'checkpoints')).some((name) => name.endsWith('.json'))).toBe(true);
    const claims = join(folder, 'closed', 'claims');
    const [claim = ''] = readdirSync(claims).filter((name) => name.endsWith('.json'));
    expect(JSON.parse(readFileSync(join(claims, claim), 'utf8'))).toMatchObject({ outcome: 'stopped' });
  }, 120_000);
});
