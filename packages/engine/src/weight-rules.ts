import { callOwn, faultOfMembers, LocalgradError, type Optimizer, shown } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import { optimizerName } from './end-step.js';

/** A rule of an optimizer, and what it applies to in a plan. */
export interface RuleDescription {
  /** Pattern for the names of weights, as the user wrote it. */
  readonly match: string;
  /** Number of weight tensors that the rule applies to; 0 for a rule without an effect. */
  readonly tensors: number;
  /** Number of weights in these tensors. */
  readonly parameters: number;
}

/**
 * What each rule of an optimizer applies to among the weights of the network and its heads; empty for optimizers without
 * rules.
 *
 * @throws LocalgradError `misuse` if the optimizer's rules are not rules
 */
export function describeRules(
  { parameters }: Pick<CompiledPlan, 'parameters'>,
  optimizer: Pick<Optimizer, 'rules'>,
): readonly RuleDescription[] {
  const weights = [...parameters.values()].filter(({ kind }) => kind === 'weight');
  return rulesOf(optimizer).map((rule) => {
    const method = `Method 'appliesTo' of rule ${shown(rule.match)} of ${optimizerName(optimizer)}`;
    const found = weights.filter((weight) => callOwn(method, () => rule.appliesTo(weight)));
    return { match: rule.match, tensors: found.length, parameters: found.reduce((sum, { size }) => sum + size, 0) };
  });
}

function rulesOf(optimizer: Pick<Optimizer, 'rules'>): NonNullable<Optimizer['rules']> {
  const { rules = [] } = optimizer;
  const members = { match: 'string', appliesTo: 'function' } as const;
  const isRule = (rule: unknown) => faultOfMembers(rule, members) === undefined;
  if (Array.isArray(rules) && rules.every(isRule)) return rules;
  throw new LocalgradError(
    'misuse',
    `'rules' of ${optimizerName(optimizer)} is ${shown(rules)}; it must be a list of rules, each with 'match' (string) and 'appliesTo' (function).`,
  );
}
