import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-heartbeat-'));
  const source = readFileSync(join(import.meta.dirname, 'heartbeat.ts'), 'utf8');
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  writeFileSync(join(folder, 'heartbeat.mjs'), ts.transpileModule(source, { compilerOptions }).outputText);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program with a heartbeat that has a patience of a second. */
async function run(body: string): Promise<{ end: unknown[]; said: string }> {
  const own = mkdtempSync(join(folder, 'run-'));
  writeFileSync(join(own, '000001.json'), '{}');
  const file = join(own, 'program.mjs');
  const options = { file: join(own, '000001.json'), folder: own, number: 1, seconds: 0.2, patienceSeconds: 1 };
  writeFileSync(
    file,
    `import { Heartbeat } from '../heartbeat.mjs';
const heartbeat = new Heartbeat(${JSON.stringify(options)});
heartbeat.start();
setInterval(() => heartbeat.tick(), 200);
const block = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
await pause(600);
${body}
process.exit(3);
`,
  );
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return { end: await once(child, 'close'), said };
}

// The programs mostly wait, so they do it at the same time.
describe.concurrent('a heartbeat', () => {
  it('ends a process whose main thread waits for something that never happens', async () => {
    const { end, said } = await run('block(60_000);');
    expect(end).toEqual([null, 'SIGKILL']);
    expect(said).toMatch(
      /^localgrad: a step has blocked the process for \d+ s and seems to hang, .* resume from the last checkpoint\.\n$/,
    );
  }, 30_000);

  it('has the patience of 20 of the longest steps', async () => {
    const { end, said } = await run('heartbeat.noteProgress(); block(300); heartbeat.noteProgress(); block(2500);');
    expect(said).toBe('');
    expect(end).toEqual([3, null]);
  }, 30_000);

  it('does not end a process that waits without being blocked', async () => {
    const { end } = await run('await pause(2500);');
    expect(end).toEqual([3, null]);
  }, 30_000);
});
