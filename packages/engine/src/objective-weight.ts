import { type Clock, callOwn, LocalgradError, type Objective, shown, weightAt } from '@localgrad/core';

/**
 * The weight of an objective at a position in training. @throws LocalgradError `invalid-plan` for values of a schedule that
 * are no weights
 */
export function objectiveWeight({ id, weight }: Pick<Objective, 'id' | 'weight'>, clock: Clock): number {
  const value: unknown = callOwn(`The weight of objective '${id}'`, () => weightAt(weight, clock));
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw new LocalgradError(
    'invalid-plan',
    `The weight of objective '${id}' is ${shown(value)} at step ${clock.step} of ${clock.steps}; its function must return finite numbers ≥ 0.`,
    { id, weight: value, step: clock.step },
  );
}
