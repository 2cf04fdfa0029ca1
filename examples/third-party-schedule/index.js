// A third-party schedule: cosine decay with warm restarts (Loshchilov and Hutter 2017), in cycles of equal length.
import { rejectUnknownKeys, requireOption } from '@localgrad/core';

const name = 'acme-localgrad-restarts';

/**
 * @param {{ learningRate: number, cycles?: number, floor?: number }} options rate at the start of each cycle, number of
 *   cycles (default 2), and rate at the end of each cycle as a fraction of `learningRate` (default 0)
 * @returns {import('@localgrad/core').Schedule}
 */
export default function restarts(options) {
  rejectUnknownKeys(name, options, ['learningRate', 'cycles', 'floor']);
  const { learningRate, cycles = 2, floor = 0 } = options;
  requireOption(learningRate >= 0, name, 'learningRate', learningRate, 'numbers ≥ 0');
  requireOption(Number.isInteger(cycles) && cycles > 0, name, 'cycles', cycles, 'positive integers');
  requireOption(floor >= 0 && floor <= 1, name, 'floor', floor, 'numbers in [0, 1]');
  return {
    config: { schedule: name, learningRate, cycles, floor },
    rate({ fraction }) {
      const position = (fraction * cycles) % 1;
      return learningRate * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * position))) / 2);
    },
  };
}
