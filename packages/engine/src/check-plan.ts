import {
  formatShape,
  type Head,
  LocalgradError,
  type Network,
  type Parameter,
  sameShape,
  type TrainingPlan,
} from '@localgrad/core';
import { batchTargetsOf, type CompiledHead, headPlace, targetsOf } from './heads.js';
import { synthesisFault } from './taught-heads.js';

/**
 * Detects mistakes in heads and methods before the first step. @throws LocalgradError `invalid-plan`, `shape-mismatch`
 */
export function checkHeads(network: Network, plan: TrainingPlan, heads: readonly CompiledHead[]): void {
  for (const compiled of heads) {
    const { head, module } = compiled;
    const where = `Plan of '${plan.method}': ${headPlace(compiled, network)}`;
    const fail = (code: 'invalid-plan' | 'shape-mismatch', problem: string): never => {
      throw new LocalgradError(code, `${where} ${problem}`, { head: head.name, key: compiled.key, module });
    };
    for (const field of ['parameters', 'statistics', 'inputShape'] as const) {
      if (!Array.isArray(head[field])) fail('invalid-plan', `has no list '${field}'.`);
    }
    if (typeof head.evaluate !== 'function') fail('invalid-plan', "has no method 'evaluate'.");
    const given = network.modules[module]?.outputShape ?? network.imageShape;
    if (!sameShape(head.inputShape, given)) {
      const [expected, found] = [formatShape(head.inputShape), formatShape(given)];
      fail('shape-mismatch', `has inputShape ${expected}, but the output of its module has shape ${found}.`);
    }
    const unread = targetsOf(head).find((name) => typeof name !== 'string' || name === '');
    if (unread !== undefined) fail('invalid-plan', "has an entry in 'reads' that is not a string.");
    const fault = synthesisFault(head);
    if (fault !== undefined) fail('invalid-plan', fault);
    const wrong = head.state?.find(({ kind }) => kind !== 'state');
    if (wrong !== undefined)
      fail('invalid-plan', `lists '${wrong.name}' as state, but its kind is '${wrong.kind}'; expected 'state'.`);
    checkAverages(head, fail);
  }
}

function checkAverages(head: Head, fail: (code: 'invalid-plan', problem: string) => never): void {
  for (const { average, live, momentum } of head.averages ?? []) {
    if (!head.parameters.includes(average)) {
      fail('invalid-plan', `declares the moving average '${average.name}', which is not one of its parameters.`);
    }
    if (!(momentum >= 0 && momentum <= 1)) {
      fail(
        'invalid-plan',
        `has momentum ${momentum} for '${average.name}', the moving average of '${live}'; allowed: 0 to 1.`,
      );
    }
  }
}

/** @param provided names of the targets in each batch */
export function checkTargets(network: Network, heads: readonly CompiledHead[], provided: readonly string[]): void {
  for (const compiled of heads) {
    const missing = batchTargetsOf(compiled.head).find((name) => !provided.includes(name));
    if (missing === undefined) continue;
    throw new LocalgradError(
      'invalid-plan',
      `The ${headPlace(compiled, network)} reads the target '${missing}', but batches contain ${provided.join(', ') || 'none'}.`,
      { head: compiled.head.name, module: compiled.module, target: missing, provided },
    );
  }
}

/** Rejects duplicate names. One parameter may have several owners (a head that uses a live block). */
export function checkNames(
  owned: readonly { readonly owner: string; readonly parameters: readonly Parameter[] }[],
): void {
  const known = new Map<string, { readonly owner: string; readonly parameter: Parameter }>();
  for (const { owner, parameters } of owned) {
    for (const parameter of parameters) {
      const other = known.get(parameter.name);
      if (other !== undefined && other.parameter !== parameter) {
        throw new LocalgradError(
          'invalid-plan',
          `Duplicate parameter '${parameter.name}': it belongs to ${other.owner} and to ${owner}. Create parameters in the scope passed to 'build'.`,
          { parameter: parameter.name, owners: [other.owner, owner] },
        );
      }
      known.set(parameter.name, { owner, parameter });
    }
  }
}

/** @throws LocalgradError `invalid-option` if no head reads labels, which could be smoothed */
export function checkSmoothing(plan: TrainingPlan, heads: readonly CompiledHead[]): void {
  if (heads.some(({ head }) => batchTargetsOf(head).includes('labels'))) return;
  throw new LocalgradError(
    'invalid-option',
    `plan: option 'labelSmoothing' is for losses that classify images, but no loss of '${plan.method}' reads labels; allowed: 0.`,
    { where: 'plan', option: 'labelSmoothing' },
  );
}
