import type { BackendHandle } from '@localgrad/backends';
import { isEndToEnd, startOfTraining } from '@localgrad/core';
import { type CompiledPlan, createTrainStep, describePlan, type Executor } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { sgd } from '@localgrad/nn/optimizers';
import { buildPlan } from '@localgrad/runs';
import { checkMemory } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { usesRelaxedSimd } from './measured-backend.js';
import type { Contestant, MeasuredNetwork } from './options.js';
import { randomBatch } from './stock-tape.js';

/** How a step is run, and how its row is called. */
export interface StepProcedure {
  readonly name: string;
  /** Default: our engine. */
  readonly create?: (compiled: CompiledPlan) => Executor;
}

/** A method's step in this process, by our engine unless another procedure is given. */
export async function engineContestant(
  method: string,
  options: MeasuredNetwork,
  backend: BackendHandle,
  { name, create }: StepProcedure = { name: method },
): Promise<Contestant> {
  const { compiled, dispose } = await buildPlan({ ...options, method, seed: 1 }, options.image, options.classes);
  checkMemory(compiled, options.batch, backend.availableBytes());
  const { images, labels } = randomBatch(options.batch, options.image, options.classes);
  const optimizer = sgd({ learningRate: 0.01 });
  const targets = compiled.reads.includes('images') ? { labels, images: tf.sigmoid(images) } : { labels };
  const trainStep = createTrainStep({ compiled, optimizer, ...(create === undefined ? {} : { executor: create }) });
  const restingBytes = () => {
    const kept: readonly tf.Tensor[] = [
      ...[...compiled.parameters.values()].map(({ value }) => value),
      ...optimizer.state().values(),
      images,
      ...Object.values(targets),
    ];
    return kept.reduce((sum, { size }) => sum + 4 * size, 0);
  };
  return {
    name,
    modules: compiled.network.modules.length,
    isEndToEnd: isEndToEnd(compiled.objectives, compiled.network.modules.length),
    backend: backend.name,
    relaxedSimd: usesRelaxedSimd(backend),
    details: { threads: backend.threads, device: backend.device },
    predicted: {
      peakBytes: compiled.predict(options.batch).peakBytes,
      unitsOfWork: describePlan(compiled, options.batch).totals.unitsOfWork,
    },
    async step() {
      const resting = restingBytes();
      const meter = new MemoryMeter();
      const start = performance.now();
      const { losses, terms } = trainStep.run({ images, targets }, startOfTraining);
      // The step is over when its last loss can be read.
      await [...losses.values()].at(-1)?.data();
      const milliseconds = performance.now() - start;
      meter.detach();
      for (const scalar of [...losses.values(), ...terms.values()]) scalar.dispose();
      return { milliseconds, peakBytes: resting + meter.peakBytes, stepBytes: meter.peakBytes };
    },
    async close() {
      optimizer.dispose();
      images.dispose();
      tf.dispose(Object.values(targets));
      dispose();
    },
  };
}
