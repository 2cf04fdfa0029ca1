import {
  at,
  type Clock,
  decoratedName,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Objective,
  type Phase,
  type PhaseRule,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
} from '@localgrad/core';

export interface SequentialOptions {
  /** Relative lengths of the phases, integers, one per module with a loss; default: equal. */
  readonly lengths?: readonly number[];
}

/**
 * Sequential greedy training: the modules of a local-learning method are trained one after the other, each in a phase of
 * its own, after which it is frozen (docs/methods/sequential.md).
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `invalid-plan` for methods with phases, and
 *   `invalid-option` when the number of lengths does not match
 */
export function sequential(of: LocalLearningMethod, options: SequentialOptions = {}): LocalLearningMethod {
  const { lengths } = readOptions(options);
  const { method: name } = decoratedName('sequential', of);
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'sequential', of: of.config, ...(lengths === undefined ? {} : { lengths: [...lengths] }) },
    plan: (network) => rewrite(name, of.plan(network), lengths),
  };
}

/** `sequential` with its options, as a decorator for `compose`. */
export function withSequential(options: SequentialOptions = {}): MethodDecorator {
  readOptions(options);
  return (method) => sequential(method, options);
}

function readOptions(options: SequentialOptions): SequentialOptions {
  rejectUnknownKeys('sequential', options, ['lengths']);
  const { lengths } = options;
  const isList = lengths === undefined || (Array.isArray(lengths) && lengths.length > 0);
  const isValid = isList && (lengths ?? []).every((length) => Number.isInteger(length) && length > 0);
  requireOption(isValid, 'sequential', 'lengths', lengths, 'a list of integers ≥ 1');
  return options;
}

function rewrite(method: string, plan: TrainingPlan, lengths: SequentialOptions['lengths']): TrainingPlan {
  if (plan.phases !== undefined) {
    throw new LocalgradError('invalid-plan', `${method}: '${plan.method}' already has phases; wrap a method without.`, {
      method,
    });
  }
  const trained = plan.objectives.filter(({ weight }) => weight !== 0);
  const ends = [...new Set(trained.map(({ span }) => span[1]))].sort((a, b) => a - b);
  if (lengths !== undefined && lengths.length !== ends.length) {
    throw new LocalgradError(
      'invalid-option',
      `${method}: option 'lengths' has ${lengths.length} entries, but there are ${ends.length} phases, one per module with a loss: ${ends.join(', ')}.`,
      { lengths: [...lengths], modules: ends },
    );
  }
  const phases = ends.map((end) => phaseOf(end, trained));
  return { ...plan, method, phases: phaseRule(phases, lengths ?? phases.map(() => 1)) };
}

/** Trains the losses on one module's output; modules before their spans are frozen. */
function phaseOf(end: number, trained: readonly Objective[]): Phase {
  const active = trained.filter(({ span }) => span[1] === end);
  const start = Math.min(...active.map(({ span }) => span[0]));
  return {
    name: `module ${end}`,
    objectives: active.map(({ id }) => id),
    frozen: Array.from({ length: start }, (_, module) => module),
  };
}

/** Divides the steps of the run in proportion to the lengths. */
function phaseRule(phases: readonly Phase[], lengths: readonly number[]): PhaseRule {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let end = 0;
  const ends = lengths.map((length) => {
    end += length;
    return end;
  });
  const phaseAt = ({ step, steps }: Clock) => {
    // Compares products of integers, because fractions round.
    const index = ends.findIndex((one) => step * total < one * steps);
    return at(phases, index < 0 ? phases.length - 1 : index, 'phase').name;
  };
  return { phases, phaseAt, isInOrder: true };
}
