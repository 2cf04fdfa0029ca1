import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleProgram } from '../../packages/pipeline/src/bundle.fixture.js';

type Bundle = Awaited<ReturnType<typeof bundleProgram>>;

let bundles: readonly [Bundle, Bundle];
beforeAll(async () => {
  const bundle = () => bundleProgram(join(import.meta.dirname, '../../packages/wasm-kernels/src/index.ts'));
  bundles = [await bundle(), await bundle()];
}, 60_000);
afterAll(() => {
  for (const { remove } of bundles) remove();
});

/** Runs statements in a process of their own, with both copies' `startWasm` as `first` and `second`; returns what they report. */
function run(statements: string): unknown {
  const [one, two] = bundles;
  const program = `import * as tf from '@tensorflow/tfjs';
import { startWasm as first } from '${one.program}';
import { startWasm as second } from '${two.program}';
const report = (value) => console.log(JSON.stringify(value));
${statements}
process.exit(0);
`;
  // Beside a bundle, so that it finds TensorFlow.js.
  const file = new URL('copies.mjs', one.program);
  writeFileSync(file, program);
  // A thread that has ended would be waited for without end.
  const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(file)], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

/** A package that is installed twice, or reloaded during development: its modules run again on the same TensorFlow.js. */
describe('two copies of wasm-kernels in one process', () => {
  it.each([
    ['one thread', '{ threads: 1 }', 'simd'],
    ['two threads', '{ threads: 2 }', 'threaded-simd'],
    ['no SIMD', '{ simd: false }', 'plain'],
  ])('start backends of their own: the second with %s', (_, options, expected) => {
    const found = run(`
      await first({ threads: 2 });
      const ended = tf.backend();
      const { facts } = await second(${options});
      const values = [...tf.square(tf.tensor1d([1, -2])).dataSync()];
      report({ build: facts.build, isOwn: tf.backend() !== ended, values });`);
    // The threads of the first one have ended; operations would wait for them forever.
    expect(found).toEqual({ build: expected, isOwn: true, values: [1, 4] });
  });

  it.each([
    ['second', 'two.dispose(); one.dispose();'],
    ['first', 'one.dispose(); two.dispose();'],
  ])('register the factory of TensorFlow.js again: the %s disposed first', (_, disposals) => {
    const found = run(`
      const one = await first({ threads: 2 });
      const two = await second({ threads: 2 });
      const ended = tf.backend();
      ${disposals}
      await tf.setBackend('wasm');
      report({ isOther: tf.backend() !== ended, values: [...tf.square(tf.tensor1d([1, -2])).dataSync()] });`);
    expect(found).toEqual({ isOther: true, values: [1, 4] });
  });

  it('keep the backend of the second when the first is disposed', () => {
    const found = run(`
      const one = await first({ threads: 2 });
      const { facts } = await second({ threads: 2 });
      one.dispose();
      const product = tf.matMul(tf.ones([300, 300]), tf.ones([300, 300]));
      report({ backend: tf.getBackend(), value: product.dataSync()[0] });`);
    expect(found).toEqual({ backend: 'wasm', value: 300 });
  });
});
