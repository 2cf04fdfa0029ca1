import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { captureTensors } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleProgram } from '../bundle.fixture.js';
import { balancedPlacement, groupsToDivide, measureGroups } from '../index.js';
import { build, imageShape } from '../plan.fixture.js';
import { textOf } from '../run.fixture.js';

let bundle: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  await tf.setBackend('cpu');
  bundle = await bundleProgram(join(import.meta.dirname, '../worker.fixture.ts'));
}, 120_000);
afterAll(() => bundle.remove());

const config = { method: 'dgl', backbone: 'resnet14(width: 4)', modules: 7 };

async function measured(options: { readonly program?: URL; readonly signal?: AbortSignal } = {}) {
  const { compiled, optimizer, scope } = build(config);
  const images = tf.randomNormal<tf.Rank.R4>([4, ...imageShape], 0, 1, 'float32', 1);
  const labels = tf.tensor1d([0, 1, 2, 0], 'int32');
  const groups = groupsToDivide(compiled, 2);
  const before = textOf(await captureTensors(compiled, optimizer));
  const tensors = tf.memory().numTensors;
  try {
    const seconds = await measureGroups({
      ...{ compiled, groups, config, batch: { images, targets: { labels } }, program: bundle.program },
      limits: { seconds: 0.5 },
      ...options,
    });
    expect(textOf(await captureTensors(compiled, optimizer))).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
    return { seconds, placement: balancedPlacement(compiled, 2, seconds) };
  } finally {
    for (const parameter of scope.all().values()) parameter.dispose();
    tf.dispose([images, labels]);
  }
}

describe('measureGroups', () => {
  it('measures every group in a thread of its own, and changes nothing in this one', async () => {
    const { seconds, placement } = await measured();
    expect(seconds).toHaveLength(7);
    expect(seconds.every((one) => one > 0 && one < 30)).toBe(true);
    expect(placement).toHaveLength(2);
  }, 120_000);

  it('reports a program that fails, and one that ends', async () => {
    const missing = pathToFileURL(join(import.meta.dirname, 'missing.js'));
    await expect(measured({ program: missing })).rejects.toThrow(/The modules could not be timed: Cannot find module/);
    const file = join(bundle.program.pathname, '../ends.js');
    writeFileSync(file, 'process.exit(3);');
    await expect(measured({ program: pathToFileURL(file) })).rejects.toThrow(
      /could not be timed: the thread ended with exit code 3/,
    );
  }, 120_000);

  it('ends with the reason of a signal', async () => {
    const controller = new AbortController();
    const measuring = measured({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error('interrupted')), 100);
    await expect(measuring).rejects.toThrow('interrupted');
  }, 120_000);
});
