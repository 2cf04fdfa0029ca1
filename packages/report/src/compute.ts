import type { FinishedRun } from '@localgrad/experiments';
import { sum } from './sum.js';

/** Multiply-accumulates of a whole run, including heads and backward passes; null if its config has no batch size. */
export function workOf(run: FinishedRun): number | null {
  const images = trainedImages(run);
  return images === null ? null : run.summary.cost.multiplyAccumulatesPerImage * images;
}

/** The last batch of an epoch has the remaining images. Runs that did not record how many images they had count full batches. */
function trainedImages({ summary: { config, steps }, identity }: FinishedRun): number | null {
  const { batch } = config;
  if (typeof batch !== 'number') return null;
  const images = identity?.training.images;
  if (images === undefined) return steps * batch;
  const stepsPerEpoch = Math.ceil(images / batch);
  return Math.floor(steps / stepsPerEpoch) * images + (steps % stepsPerEpoch) * batch;
}

/**
 * The same up to the end of an epoch. All epochs have the same number of steps, but not the same work where training has phases.
 *
 * @param position index of the epoch
 */
export function workUntil(run: FinishedRun, position: number): number | null {
  const whole = workOf(run);
  if (whole === null) return null;
  const { epochs, cost } = run.summary;
  const works = epochs.map((epoch) => epoch.multiplyAccumulatesPerImage ?? cost.multiplyAccumulatesPerImage);
  return whole * (sum(works.slice(0, position + 1)) / sum(works));
}
