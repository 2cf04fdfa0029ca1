import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cifarResNet } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { clockAt, createNetwork, resolvePartition } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { mlaan } from '@localgrad/mlaan';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const name = process.env.LOCALGRAD_TEST_BACKEND ?? 'wasm';
// A software-emulated GPU needs half a second per step, native TensorFlow a tenth.
const fewer: Readonly<Record<string, number>> = { webgpu: 30, tensorflow: 500 };
const steps = Number(process.env.LOCALGRAD_TEST_STEPS ?? fewer[name] ?? 1000);

/** Buffers of tensors that were not disposed of are not garbage; JavaScript's own garbage hides them. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

describe(`${steps} steps on ${name}`, () => {
  let backend: BackendHandle;
  beforeAll(async () => {
    backend = await selectBackend(name);
  });
  afterAll(() => backend.dispose());

  it('leak no tensors and no bytes, and do not grow the process', async () => {
    const meter = new MemoryMeter();
    const scope = createScope(1);
    const built = cifarResNet({ depth: 8, widths: [4, 4, 8, 8] }).build({ inputShape: [8, 8, 3], classes: 4, scope });
    const network = createNetwork(built, resolvePartition(built.blocks, { modules: 3 }));
    const method = mlaan(dgl({ head: '0c1f' }));
    const compiled = compilePlan(network, method.plan(network), { scope });
    const optimizer = sgd({ learningRate: 0.01 });
    const trainStep = createTrainStep({ compiled, optimizer });
    const images = tf.randomNormal([4, 8, 8, 3], 0, 1, 'float32', 1) as tf.Tensor4D;
    const labels = tf.tensor1d([0, 1, 2, 3], 'int32');
    const states: { tensors: number; bytes: number; peak: number; device: number }[] = [];
    for (let step = 1; step <= steps; step++) {
      const { losses, terms } = trainStep.run({ images, targets: { labels } }, clockAt(step - 1, 1, steps));
      const final = [...losses.values()].at(-1) as tf.Scalar;
      if (step % (steps / 10) === 0) {
        expect(Number.isFinite((await final.data())[0])).toBe(true);
        collectGarbage();
        const { bytes } = await backend.memoryInUse();
        states.push({
          tensors: tf.memory().numTensors,
          bytes: meter.liveBytes,
          peak: meter.peakBytes,
          device: bytes,
        });
      }
      tf.dispose([...losses.values(), ...terms.values()]);
    }
    const [first, last] = [states[1], states.at(-1)] as [(typeof states)[0], (typeof states)[0]];
    expect(last.tensors).toBe(first.tensors);
    expect(last.bytes).toBe(first.bytes);
    expect(last.peak).toBe(first.peak);
    // A process's resident memory fluctuates slightly; a leak of one 16 kB buffer per step would be detected.
    expect(last.device - first.device, JSON.stringify(states)).toBeLessThan(steps * 1024 * 16);
    meter.detach();
    optimizer.dispose();
  }, 600_000);
});
