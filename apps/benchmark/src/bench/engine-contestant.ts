import type { BackendHandle } from '@localgrad/backends';
import { createExecutor, MemoryMeter } from '@localgrad/engine';
import { sgd } from '@localgrad/nn';
import { checkMemory } from '@localgrad/train';
import type * as tf from '@tensorflow/tfjs';
import { buildPlan } from '../run.js';
import type { BenchStepOptions, Contestant } from './options.js';
import { randomBatch } from './stock-tape.js';

/** A method's step by our engine, in this process. */
export function engineContestant(method: string, options: BenchStepOptions, backend: BackendHandle): Contestant {
  const { compiled, dispose } = buildPlan({ ...options, method, seed: 1 }, options.image, options.classes);
  checkMemory(compiled, options.batch, backend.availableBytes());
  const { images, labels } = randomBatch(options.batch, options.image, options.classes);
  const optimizer = sgd({ learningRate: 0.01 });
  const executor = createExecutor(compiled);
  const restingBytes = () => {
    const kept: readonly tf.Tensor[] = [
      ...[...compiled.parameters.values()].map(({ value }) => value),
      ...optimizer.state().values(),
      images,
      labels,
    ];
    return kept.reduce((sum, { size }) => sum + 4 * size, 0);
  };
  return {
    name: method,
    modules: compiled.network.modules.length,
    backend: backend.name,
    details: { threads: backend.threads, device: backend.device },
    async step() {
      const resting = restingBytes();
      const meter = new MemoryMeter();
      const start = performance.now();
      const { losses, terms } = executor.step(
        { images, targets: { labels } },
        { onGradient: (parameter, gradient) => optimizer.update(parameter, gradient, 0.01) },
      );
      // The step is over when its last loss can be read.
      await [...losses.values()].at(-1)?.data();
      const milliseconds = performance.now() - start;
      meter.detach();
      for (const scalar of [...losses.values(), ...terms.values()]) scalar.dispose();
      return { milliseconds, peakBytes: resting + meter.peakBytes };
    },
    async close() {
      optimizer.dispose();
      images.dispose();
      labels.dispose();
      dispose();
    },
  };
}
