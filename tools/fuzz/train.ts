import { LocalgradError } from '@localgrad/core';
import { type ExecuteOptions, executeRun, type RunConfig } from '@localgrad/runs';

class Interrupted extends Error {}

/** Runs until the end, or until a step: then the process might as well have been killed. @returns the number of steps */
export async function train(config: RunConfig, folder: string, until = Number.POSITIVE_INFINITY) {
  const controller = new AbortController();
  let steps = 0;
  const options: ExecuteOptions = {
    ...{ config, folder, resume: 'auto', keep: { keepLast: 1 }, signal: controller.signal },
    observers: [
      {
        observe({ type }) {
          if (type === 'step-end' && ++steps === until) controller.abort(new Interrupted());
        },
      },
    ],
  };
  const result = await executeRun(options);
  if (result === undefined) throw new Error('Another process had the folder.');
  return { summary: result.summary, steps };
}

/** Trains, unless the config is refused with a LocalgradError. */
export async function trainOrRefuse(config: RunConfig, folder: string) {
  try {
    return await train(config, folder);
  } catch (error) {
    if (LocalgradError.isInstance(error)) return 'refused';
    throw error;
  }
}

/**
 * Trains a share of the steps and leaves the run as a process that is killed does; nothing is trained where that is all of them.
 *
 * @returns the number of steps
 */
export async function trainPart(share: number, steps: number, config: RunConfig, folder: string): Promise<number> {
  const step = 1 + Math.floor(share * (steps - 1));
  if (step === steps) return step;
  await train(config, folder, step).then(
    () => Promise.reject(new Error(`The run was not interrupted after ${step} of ${steps} steps.`)),
    (error) => (error instanceof Interrupted ? undefined : Promise.reject(error)),
  );
  return step;
}
