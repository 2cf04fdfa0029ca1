import type { BackendHandle } from '@localgrad/backends';
import { isEndToEnd, startOfTraining } from '@localgrad/core';
import { type CompiledPlan, createTrainStep, describePlan, type Executor } from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { buildPlan } from '@localgrad/runs';
import { checkMemory } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { usesRelaxedSimd } from './measured-backend.js';
import { optimizerOf } from './optimization.js';
import type { Contestant, MeasuredNetwork } from './options.js';
import { randomBatch } from './stock-tape.js';

/** How a step runs, and the name of its row. */
export interface StepProcedure {
  readonly name: string;
  /** Default: the engine's executor. */
  readonly create?: (compiled: CompiledPlan) => Executor;
  /** Whether steps are recorded where the backend can. Default true. */
  readonly recordSteps?: boolean;
}

/** A method's step in this process, on localgrad's engine unless another procedure is given. */
export async function engineContestant(
  method: string,
  options: MeasuredNetwork,
  backend: BackendHandle,
  { name, create, recordSteps = true }: StepProcedure = { name: method },
): Promise<Contestant> {
  const { accumulate = 1, batch, image, classes } = options;
  const optimizer = await optimizerOf(options);
  const { compiled, dispose } = await buildPlan({ ...options, method, seed: 1 }, { imageShape: image, classes });
  const executor = create === undefined ? {} : { executor: create };
  const trainStep = createTrainStep({ compiled, optimizer, accumulate, recordSteps, ...executor });
  try {
    checkMemory(compiled, batch, backend.availableBytes(), trainStep.predict);
  } catch (error) {
    dispose();
    throw error;
  }
  const { images, labels } = randomBatch(batch, image, classes);
  const targets = compiled.reads.includes('images') ? { labels, images: tf.sigmoid(images) } : { labels };
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
      peakBytes: trainStep.predict(batch).peakBytes,
      unitsOfWork: describePlan(compiled, batch).totals.unitsOfWork,
    },
    async step() {
      const resting = restingBytes();
      const meter = new MemoryMeter({ countsOlder: true });
      const start = performance.now();
      const { losses, terms } = trainStep.run({ images, targets }, startOfTraining);
      // A step has ended when its last loss can be read.
      await [...losses.values()].at(-1)?.data();
      const milliseconds = performance.now() - start;
      meter.detach();
      for (const scalar of [...losses.values(), ...terms.values()]) scalar.dispose();
      const { recording } = trainStep;
      const stepBytes = meter.peakBytes + (recording?.mode === 'recorded' ? recording.arenaBytes : 0);
      return { milliseconds, peakBytes: resting + stepBytes, stepBytes };
    },
    async close() {
      trainStep.dispose();
      optimizer.dispose();
      images.dispose();
      tf.dispose(Object.values(targets));
      dispose();
    },
  };
}
