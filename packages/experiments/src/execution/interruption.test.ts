import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-interruption-'));
  const source = readFileSync(join(import.meta.dirname, 'interruption.ts'), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  writeFileSync(join(folder, 'interruption.mjs'), ts.transpileModule(source, { compilerOptions }).outputText);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that says when it is ready, with two seconds to end. */
async function start(body: string): Promise<{ child: ChildProcess; ended: Promise<unknown[]>; said: () => string }> {
  const file = join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(
    file,
    `import { interruption } from './interruption.mjs';\nconst signal = interruption(2);\n${body}\nconsole.log('ready');\n`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  return { child, ended, said: () => text };
}

const forever = 'setInterval(() => {}, 1000);';

describe('interruption', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends a program that hangs after one %s',
    async (name) => {
      const { child, ended, said } = await start(forever);
      child.kill(name);
      expect(await ended).toEqual([130, null]);
      expect(said()).toBe(
        'localgrad: nothing ended within 2 s of the signal; work since the last checkpoint is lost.\n',
      );
    },
    30_000,
  );

  it('leaves a program time that ends by itself', async () => {
    const { child, ended, said } = await start(
      `${forever}\nsignal.addEventListener('abort', () => setTimeout(() => process.exit(3), 500));`,
    );
    child.kill('SIGINT');
    expect(await ended).toEqual([3, null]);
    expect(said()).toBe('');
  }, 30_000);

  it('does not count the time of a step that blocks the thread', async () => {
    const { child, ended } = await start(
      `${forever}
signal.addEventListener('abort', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
  setTimeout(() => process.exit(3), 100);
});`,
    );
    child.kill('SIGINT');
    expect(await ended).toEqual([3, null]);
  }, 30_000);

  it('ends at once after a second SIGINT', async () => {
    const { child, ended } = await start(`${forever}\nsignal.addEventListener('abort', () => console.log('aborted'));`);
    child.kill('SIGINT');
    if (child.stdout !== null) await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
  }, 30_000);
});
