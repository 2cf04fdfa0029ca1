import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../../..');
const runtime = join(root, 'packages/wasm-kernels/src/runtime');
const sources = {
  heartbeat: join(import.meta.dirname, 'heartbeat.ts'),
  'threaded-build.node': join(runtime, 'threaded-build.node.ts'),
  'threaded-module': join(runtime, 'threaded-module.ts'),
  'shorter-spin': join(runtime, 'shorter-spin.ts'),
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-dead-thread-'));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  for (const [name, file] of Object.entries(sources)) {
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions });
    writeFileSync(join(folder, `${name}.js`), outputText);
  }
  writeFileSync(join(folder, '000001.json'), '{}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a process whose stock wasm backend waits for a thread that died is ended by its heartbeat', async () => {
  const options = { file: join(folder, '000001.json'), folder, number: 1, seconds: 0.2, patienceSeconds: 2 };
  writeFileSync(
    join(folder, 'program.mjs'),
    `import * as tf from '@tensorflow/tfjs';
import { Heartbeat } from './heartbeat.js';
import { instantiateThreadedBuild } from './threaded-build.node.js';

const { backend } = await instantiateThreadedBuild(2);
// The package has registered the build without threads.
tf.removeBackend('wasm');
tf.registerBackend('wasm', () => backend);
await tf.setBackend('wasm');
const convolve = () => tf.conv2d(tf.ones([8, 32, 32, 8]), tf.ones([3, 3, 8, 8]), 1, 'same').dataSync()[0];
console.log(convolve());
const heartbeat = new Heartbeat(${JSON.stringify(options)});
heartbeat.start();
setInterval(() => heartbeat.tick(), 200);
setTimeout(() => {
  const { unusedWorkers, runningWorkers } = backend.wasm.PThread;
  for (const thread of [...runningWorkers, ...unusedWorkers]) thread.terminate();
  // The main thread is not told before it returns, and waits for the result of a thread that is gone.
  const until = Date.now() + 500;
  while (Date.now() < until);
  convolve();
  process.exit(3);
}, 1000);
`,
  );
  const child = spawn(process.execPath, [join(folder, 'program.mjs')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [printed, said] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
  expect(printed).toContain('32');
  expect(said).toMatch(/localgrad: a step has blocked the process for \d+ s and seems to hang, e\.g\. since a thread/);
}, 60_000);
