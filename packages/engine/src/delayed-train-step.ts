import { type Clock, LocalgradError } from '@localgrad/core';
import { endStep } from './end-step.js';
import { createPartStep } from './part-step.js';
import type { TrainStep, TrainStepOptions } from './train-step.js';
import { phaseWork } from './work.js';

/** A training step in which some gradients are those of earlier batches. @throws LocalgradError `invalid-option` */
export function createDelayedTrainStep(options: TrainStepOptions, rateAt: (clock: Clock) => number): TrainStep {
  const { compiled, optimizer, executor, accumulate = 1, seed = 0 } = options;
  if (executor !== undefined) {
    throw new LocalgradError('invalid-option', "Delayed gradients have their own executor; remove option 'executor'.");
  }
  const part = createPartStep({ compiled, optimizer, accumulate, seed });
  // Late gradients are of plans with one phase.
  const [phase] = compiled.phases;
  const multiplyAccumulatesPerImage = phaseWork(compiled, phase);
  return {
    run(batch, clock) {
      const learningRate = rateAt(clock);
      const result = part.run(batch, { clock, learningRate });
      endStep(compiled, clock, () => true);
      return { ...result, learningRate, phase: phase.name, multiplyAccumulatesPerImage };
    },
    recording: undefined,
    ...(part.memory === undefined ? {} : { memory: part.memory }),
    predict: (batchSize) => compiled.predict(batchSize, { optimizer, accumulate }),
    dispose: () => part.dispose?.(),
  };
}
