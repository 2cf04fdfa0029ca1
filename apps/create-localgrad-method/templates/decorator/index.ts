import {
  type Clock,
  type LocalLearningMethod,
  type MethodDecorator,
  rejectUnknownKeys,
  requireOption,
  weightAt,
} from '@localgrad/core';

const name = 'localgrad-template';

export interface DecoratorOptions {
  /** Weight of the local losses at the end of training, relative to their weight at its start. Default 0.1. */
  readonly final?: number;
}

/** Fades the local losses out: their weights fall linearly during training. The loss of the classifier keeps its weight. */
export function decorator(of: LocalLearningMethod, options: DecoratorOptions = {}): LocalLearningMethod {
  rejectUnknownKeys(name, options, ['final']);
  const { final = 0.1 } = options;
  requireOption(final >= 0, name, 'final', final, 'numbers ≥ 0');
  const full = `${name}(${of.name})`;
  return {
    specVersion: 'v1',
    name: full,
    config: { decorator: name, of: of.config, ...options },
    plan(network) {
      const plan = of.plan(network);
      const objectives = plan.objectives.map((objective) => {
        if (objective.role === 'final') return objective;
        const { weight } = objective;
        return {
          ...objective,
          weight: (clock: Clock) => weightAt(weight, clock) * (1 + (final - 1) * clock.fraction),
        };
      });
      return { ...plan, method: full, objectives };
    },
  };
}

/** The decorator with its options, for `compose`. */
export function withDecorator(options: DecoratorOptions = {}): MethodDecorator {
  return (of) => decorator(of, options);
}
