import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-interruption-'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  for (const name of ['interruption', 'signal-thread']) {
    const source = readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8');
    writeFileSync(join(folder, `${name}.js`), ts.transpileModule(source, { compilerOptions }).outputText);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly said: () => string;
}

/** A version of Node without the flag through which a thread receives signals. */
const withoutInternals = `const threads = require('node:worker_threads');
threads.Worker = class extends threads.Worker {
  constructor(program, options) {
    super(program, { ...options, execArgv: [] });
  }
};
require('node:module').syncBuiltinESMExports();
`;

/**
 * A program that says when it is ready, with two seconds to end.
 *
 * @param blockedSeconds while its thread is blocked
 * @param preload program that runs before it
 */
async function start(body: string, blockedSeconds = 60, preload = ''): Promise<Program> {
  const file = join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(
    file,
    `import { interruption } from './interruption.js';\nconst signal = interruption({ seconds: 2, blockedSeconds: ${blockedSeconds} });\n${body}\nsetTimeout(() => console.log('ready'), 1000);\n`,
  );
  const preloaded = join(folder, `preload-${Math.random()}.cjs`);
  writeFileSync(preloaded, preload);
  const child = spawn(process.execPath, ['--require', preloaded, file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  return { child, ended, said: () => text };
}

const forever = 'setInterval(() => {}, 1000);';

// The programs mostly wait, so they do it at the same time.
describe.concurrent('interruption', () => {
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
      `${forever}\nsignal.addEventListener('abort', () => setTimeout(() => process.exit(3), 50));`,
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

  it('is left to the main thread where Node delivers signals to no other thread', async () => {
    const { child, ended, said } = await start(forever, 60, withoutInternals);
    child.kill('SIGTERM');
    expect(await ended).toEqual([130, null]);
    expect(said()).toBe('localgrad: nothing ended within 2 s of the signal; work since the last checkpoint is lost.\n');
  }, 30_000);

  it('ends at once after a second signal also there', async () => {
    const { child, ended, said } = await start(
      `${forever}\nsignal.addEventListener('abort', () => console.log('aborted'));`,
      60,
      withoutInternals,
    );
    child.kill('SIGINT');
    if (child.stdout !== null) await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
    expect(said()).toBe('');
  }, 30_000);

  describe('while the main thread is blocked', () => {
    /** Blocks as an operation does that waits for a dead thread. */
    const block = (milliseconds: number) =>
      `import { writeSync } from 'node:fs';
const flag = new Int32Array(new SharedArrayBuffer(4));
setTimeout(() => {
  writeSync(1, 'blocked');
  Atomics.wait(flag, 0, 0, ${milliseconds});
}, 3000);
signal.addEventListener('abort', () => setTimeout(() => process.exit(3), 100));
${forever}`;
    const said = (stream: Readable | null) => (stream === null ? expect.fail('no stream') : once(stream, 'data'));

    it('ends the program after the grace period of one signal', async () => {
      const { child, ended, said: text } = await start(block(60_000), 4);
      await said(child.stdout);
      child.kill('SIGINT');
      expect(await ended).toEqual([null, 'SIGKILL']);
      expect(text()).toBe(
        'localgrad: stopping after the current step; a second signal stops at once, without saving it.\n' +
          'localgrad: the current step did not end within 4 s of the signal; work since the last checkpoint is lost.\n',
      );
    }, 60_000);

    it('ends the program at a second signal', async () => {
      const { child, ended } = await start(block(60_000));
      await said(child.stdout);
      const noticed = said(child.stderr);
      child.kill('SIGTERM');
      await noticed;
      child.kill('SIGTERM');
      expect(await ended).toEqual([null, 'SIGKILL']);
    }, 60_000);

    it('lets a step end that ends in time', async () => {
      const { child, ended, said: text } = await start(block(2000), 10);
      await said(child.stdout);
      child.kill('SIGINT');
      expect(await ended).toEqual([3, null]);
      expect(text()).toBe('');
    }, 60_000);
  });
});
