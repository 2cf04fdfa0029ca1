/** Where training stands. One clock for learning rates, loss weights, phases, heads and hooks. */
export interface Clock {
  /** Optimizer steps completed before this one, from 0. */
  readonly step: number;
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  /** Epoch of this step, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** `step / steps`, in [0, 1). */
  readonly fraction: number;
}

/** The clock at an optimizer step of a run whose epochs all have `stepsPerEpoch` steps. @param step from 0 */
export function clockAt(step: number, epochs: number, stepsPerEpoch: number): Clock {
  const steps = epochs * stepsPerEpoch;
  const epoch = Math.min(epochs, Math.floor(step / stepsPerEpoch) + 1);
  return { step, steps, epoch, epochs, fraction: step / steps };
}

/** Before the first step of a run of unknown length; for single steps and descriptions. */
export const startOfTraining: Clock = { step: 0, steps: 1, epoch: 1, epochs: 1, fraction: 0 };

/** After the last step: the limit of scheduled values. */
export const endOfTraining: Clock = { step: 1, steps: 1, epoch: 1, epochs: 1, fraction: 1 };
