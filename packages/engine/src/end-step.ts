import {
  type Clock,
  callOwn,
  faultOfMembers,
  LocalgradError,
  memberOf,
  type Optimizer,
  ownError,
  type Parameter,
  type ParameterGradient,
  requireSynchronous,
  shown,
  type UpdateContext,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import { recordHistories } from './delayed-weights.js';
import { moveAverages } from './moving-averages.js';

/**
 * Ends a step whose modules ran as parts: moves the averages that follow updated weights, records the values that delayed
 * averages need, and runs the plan's hooks.
 *
 * @param isTrained whether a module was trained in the step
 */
export function endStep(compiled: CompiledPlan, clock: Clock, isTrained: (module: number) => boolean): void {
  moveAveragesAfterUpdate(compiled, clock, isTrained);
  recordHistories(compiled.histories);
  runHooks(compiled, clock);
}

/** @param isTrained whether a module was trained in the step; default: all modules of the phase */
export function moveAveragesAfterUpdate(
  compiled: CompiledPlan,
  clock: Clock,
  isTrained: (module: number) => boolean = () => true,
): void {
  const heads = [...compiled.phaseAt(clock).heads.values()].flat().filter(({ module }) => isTrained(module));
  const active = new Set(heads.map(({ key }) => key));
  moveAverages(compiled.averages.filter(({ head, when }) => when === 'afterUpdate' && active.has(head)));
}

/** @throws LocalgradError `misuse` for asynchronous hooks, and for what a hook throws by mistake */
export function runHooks({ parameters, state, plan }: CompiledPlan, clock: Clock): void {
  for (const hook of plan.hooks) {
    tf.tidy(() => {
      const what = `Hook '${hook.name}' of '${plan.method}'`;
      const result = callOwn(what, () => hook.afterStep({ clock, parameters, state }));
      requireSynchronous(result, what);
    });
  }
}

/** Updates the weights. @throws LocalgradError `misuse` for an asynchronous optimizer, and for its mistakes */
export function updateWeights(
  optimizer: Optimizer,
  gradients: readonly ParameterGradient[],
  context: UpdateContext,
): void {
  const what = `Method 'update' of ${optimizerName(optimizer)}`;
  let result: unknown;
  try {
    result = optimizer.update(gradients, context);
  } catch (error) {
    // Other errors may be those of the backend, which explain themselves.
    throw error instanceof TypeError || error instanceof ReferenceError ? ownError(what, error) : error;
  }
  requireSynchronous(result, what);
}

/** @throws LocalgradError `misuse` unless `state` of an optimizer returns a map, which checkpoints store */
export function requireState(optimizer: Optimizer): void {
  const fault = faultOfMembers(optimizer, { update: 'function', state: 'function' });
  if (fault !== undefined) {
    const cure = 'allowed: what sgd, adam or adamw of @localgrad/nn/optimizers return, or your own optimizer';
    throw new LocalgradError('misuse', `The optimizer ${fault}; ${cure}.`);
  }
  const state: unknown = optimizer.state();
  if (state instanceof Map) return;
  const found = state instanceof Promise ? 'a Promise' : shown(state);
  throw new LocalgradError(
    'misuse',
    `Method 'state' of ${optimizerName(optimizer)} returned ${found}; it must return a Map of tensors by name, which may be empty.`,
  );
}

/** Bytes of an optimizer's state for a weight. @throws LocalgradError `misuse` unless it says so */
export function stateBytesOf(optimizer: Pick<Optimizer, 'stateBytes'>, parameter: Parameter): number {
  const bytes: unknown = optimizer.stateBytes(parameter);
  if (typeof bytes === 'number' && bytes >= 0 && Number.isFinite(bytes)) return bytes;
  throw new LocalgradError(
    'misuse',
    `Method 'stateBytes' of ${optimizerName(optimizer)} returned ${shown(bytes)} for '${parameter.name}'; it must return the bytes of its state, a finite number ≥ 0.`,
    { parameter: parameter.name },
  );
}

/** `optimizer 'sgd'`, for messages. */
export function optimizerName(optimizer: object): string {
  const config = memberOf(optimizer, 'config');
  return `optimizer '${String(memberOf(config, 'optimizer') ?? 'without a name')}'`;
}
