/** Position in training, shared by learning rates, loss weights, phases, heads and hooks. */
export interface Clock {
  /** Optimizer steps completed before this one, from 0. */
  readonly step: number;
  /** Total number of optimizer steps in the run. */
  readonly steps: number;
  /** Epoch of this step, from 1. */
  readonly epoch: number;
  /** Total number of epochs in the run. */
  readonly epochs: number;
  /** `step / steps`, in [0, 1). */
  readonly fraction: number;
}

/** The clock at an optimizer step, for epochs of `stepsPerEpoch` steps each. @param step from 0 */
export function clockAt(step: number, epochs: number, stepsPerEpoch: number): Clock {
  const steps = epochs * stepsPerEpoch;
  const epoch = Math.min(epochs, Math.floor(step / stepsPerEpoch) + 1);
  return { step, steps, epoch, epochs, fraction: step / steps };
}

/** The start of a run of unknown length; used for single steps and descriptions. */
export const startOfTraining: Clock = { step: 0, steps: 1, epoch: 1, epochs: 1, fraction: 0 };

/** The end of training, at which scheduled values reach their final value. */
export const endOfTraining: Clock = { step: 1, steps: 1, epoch: 1, epochs: 1, fraction: 1 };
