import { LocalgradError, optimizerLabel, type Parameter, type UpdateNeeds } from '@localgrad/core';
import type { CompiledPhase, CompiledPlan } from '@localgrad/engine';

/**
 * Checks that the modules of a plan can be trained at different times: each loss trains one module, no weight is trained
 * by losses on several, and no head learns from the gradient of a later module.
 *
 * @throws LocalgradError `invalid-plan` that names the loss or the module, `invalid-option` for optimizers that need all gradients at once
 */
export function checkLocal(compiled: CompiledPlan, optimizer?: UpdateNeeds): void {
  const { plan } = compiled;
  for (const phase of compiled.phases) {
    for (const { id, span, start } of phase.objectives) {
      const [, to] = span;
      if (start === undefined || start === to) continue;
      throw new LocalgradError(
        'invalid-plan',
        `Asynchronous training needs losses that train one module each, but loss '${id}' of '${plan.method}' trains modules ` +
          `${start} to ${to}. Use a method with local losses only, e.g. dgl, or train synchronously.`,
        { method: plan.method, loss: id, span },
      );
    }
    const [taught] = phase.taught;
    if (taught !== undefined) {
      throw new LocalgradError(
        'invalid-plan',
        `Asynchronous training needs modules that wait for nothing from later ones, but heads of '${plan.method}' on module ` +
          `${taught} learn from the gradient that module ${taught + 1} computes in the same step. Train synchronously.`,
        { method: plan.method, module: taught },
      );
    }
    checkWeights(compiled, phase);
  }
  if (optimizer?.needsWholeStep === true) {
    throw new LocalgradError(
      'invalid-option',
      `Asynchronous training updates each module at its own time, but ${optimizerLabel(optimizer)} needs all gradients of a step at once.`,
    );
  }
}

/** Rejects weights that receive gradients on several modules. */
function checkWeights({ network, plan }: CompiledPlan, { shared, heads }: CompiledPhase): void {
  const all = [...heads.values()].flat();
  for (const [parameter, { gradients }] of shared) {
    if (gradients < 2) continue;
    const owns = (owner: { readonly parameters: readonly Parameter[] }) => owner.parameters.includes(parameter);
    const users = all.filter(({ head }) => owns(head));
    const modules = new Set([
      ...users.map(({ module }) => module),
      ...network.modules.filter(({ blocks }) => blocks.some(owns)).map(({ index }) => index),
    ]);
    if (modules.size < 2) continue;
    const [user] = users;
    const loss = user === undefined ? undefined : (user.objectives[0]?.id ?? user.key);
    const problem =
      user === undefined
        ? `blocks of modules ${[...modules].join(', ')} share '${parameter.name}'. Use blocks with weights of their own`
        : `loss '${loss}' of '${plan.method}' on module ${user.module} trains '${parameter.name}' together with losses on ` +
          `modules ${[...modules].join(', ')}. Use heads with weights of their own`;
    throw new LocalgradError(
      'invalid-plan',
      `Asynchronous training needs losses that train one module each, but ${problem}, or train synchronously.`,
      { method: plan.method, ...(loss === undefined ? {} : { loss }), parameter: parameter.name },
    );
  }
}
