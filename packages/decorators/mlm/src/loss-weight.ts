import { type Clock, LocalgradError, type Weight, weightAt } from '@localgrad/core';

/** Weight of a loss: a number, or `'from..to'`, a linear ramp from the first to the last training step. */
export type LossWeight = number | `${number}..${number}`;

/** @throws LocalgradError `invalid-option` */
export function parseLossWeight(where: string, option: string, given: unknown): Weight {
  const ends = typeof given === 'string' ? given.split('..') : [given];
  const values = ends.map((end) => (end === '' ? Number.NaN : Number(end)));
  const [from = Number.NaN, to = from] = values;
  const isValid =
    (typeof given === 'number' || (typeof given === 'string' && ends.length === 2)) &&
    values.every((value) => Number.isFinite(value) && value >= 0);
  if (!isValid) {
    throw new LocalgradError(
      'invalid-option',
      `${where}: option '${option}' is ${JSON.stringify(given)}; allowed: finite numbers ≥ 0, or 'from..to' for a linear ramp from the first step to the last.`,
      { option, value: given },
    );
  }
  if (from === to) return from;
  return (clock) => {
    const position = rampPosition(clock);
    return (1 - position) * from + position * to;
  };
}

/** 0 in the first step, 1 in the last. A single step is the first one. */
function rampPosition({ step, steps, fraction }: Clock): number {
  return steps > 1 ? Math.min(1, step / (steps - 1)) : fraction;
}

/** The product of two weights. A constant 0 stays constant, so that untrained losses are never evaluated. */
export function multiplyWeights(first: Weight, second: Weight): Weight {
  if (first === 0 || second === 0) return 0;
  if (typeof first === 'number' && typeof second === 'number') return first * second;
  return (clock) => weightAt(first, clock) * weightAt(second, clock);
}
