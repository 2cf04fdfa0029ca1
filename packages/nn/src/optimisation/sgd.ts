import { type JsonObject, rejectUnknownKeys, requireOption, unknownName } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { keep, type Tensor } from '@tensorflow/tfjs';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  /** Kept in the config; schedules start from it. */
  readonly learningRate: number;
  /** Default 0.9. */
  readonly momentum?: number;
  /** Default true, as in the methods' reference code. */
  readonly nesterov?: boolean;
  /** L2 decay added to every gradient, biases and batch norm included. Default 1e-4. */
  readonly weightDecay?: number;
}

/**
 * PyTorch's SGD: g ← g + weightDecay·p; v ← momentum·v + g (v = g at the first update);
 * p ← p − lr·(nesterov ? g + momentum·v : v).
 *
 * @throws LocalgradError `invalid-option`
 */
export function sgd(options: SgdOptions): Optimizer {
  rejectUnknownKeys('sgd', options, ['learningRate', 'momentum', 'nesterov', 'weightDecay']);
  const { learningRate, momentum = 0.9, nesterov = momentum > 0, weightDecay = 1e-4 } = options;
  requireOption(Number.isFinite(learningRate) && learningRate >= 0, 'sgd', 'learningRate', learningRate, 'numbers ≥ 0');
  requireOption(momentum >= 0 && momentum < 1, 'sgd', 'momentum', momentum, 'numbers in [0, 1)');
  requireOption(!nesterov || momentum > 0, 'sgd', 'nesterov', nesterov, 'false where momentum is 0');
  requireOption(Number.isFinite(weightDecay) && weightDecay >= 0, 'sgd', 'weightDecay', weightDecay, 'numbers ≥ 0');

  const velocities = new Map<string, Tensor>();
  const dispose = () => {
    for (const velocity of velocities.values()) velocity.dispose();
    velocities.clear();
  };
  return {
    config: { optimizer: 'sgd', learningRate, momentum, nesterov, weightDecay },
    update(parameter, gradient, rate) {
      const { value, velocity } = currentKernels().sgdUpdate({
        value: parameter.value,
        gradient,
        velocity: velocities.get(parameter.name),
        learningRate: rate,
        momentum,
        nesterov,
        weightDecay,
      });
      parameter.assign(value);
      // Without momentum the velocity is the last gradient, which nobody reads again.
      if (momentum === 0) velocity.dispose();
      else velocities.set(parameter.name, keep(velocity));
    },
    state: () => velocities,
    load(state) {
      dispose();
      for (const [name, velocity] of state) velocities.set(name, keep(velocity));
    },
    dispose,
  };
}

/** An optimizer from its config, e.g. `{ optimizer: 'sgd', learningRate: 0.1 }`. @throws LocalgradError */
export function createOptimizer(config: JsonObject): Optimizer {
  const { optimizer, ...options } = config;
  if (optimizer !== 'sgd') throw unknownName('optimizer', String(optimizer), ['sgd']);
  return sgd(options as unknown as SgdOptions);
}
