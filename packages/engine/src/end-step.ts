import {
  type Clock,
  type Optimizer,
  type ParameterGradient,
  requireSynchronous,
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

/** @throws LocalgradError `misuse` for asynchronous hooks */
export function runHooks({ parameters, state, plan }: CompiledPlan, clock: Clock): void {
  for (const hook of plan.hooks) {
    tf.tidy(() => {
      requireSynchronous(hook.afterStep({ clock, parameters, state }), `Hook '${hook.name}' of '${plan.method}'`);
    });
  }
}

/** Updates the weights. @throws LocalgradError `misuse` for an asynchronous optimizer */
export function updateWeights(
  optimizer: Optimizer,
  gradients: readonly ParameterGradient[],
  context: UpdateContext,
): void {
  const name = String(optimizer.config?.optimizer ?? 'without a name');
  requireSynchronous(optimizer.update(gradients, context), `Method 'update' of optimizer '${name}'`);
}
