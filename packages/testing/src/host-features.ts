import { type Clock, independentPlan, type LocalLearningMethod, type TrainingPlan } from '@localgrad/core';
import { headFactory } from '@localgrad/nn/heads';
import { createTrial, trainTrial } from './trial.js';

const hostFeatures = ['hooks', 'state', 'phases', 'rewriteBlock', 'weights'] as const;

/** A part of a host's plan that a decorator must keep; `weights` are scheduled weights of objectives. */
export type HostFeature = (typeof hostFeatures)[number];

const name = 'host';

/** A host whose plan has all features but those in `without`. @param used receives the features that training uses */
function featuredHost(used: Set<HostFeature>, without: readonly HostFeature[]): LocalLearningMethod {
  const note = <T>(feature: HostFeature, value: T): T => {
    used.add(feature);
    return value;
  };
  const features: Record<Exclude<HostFeature, 'weights'>, Partial<TrainingPlan>> = {
    hooks: { hooks: [{ name, afterStep: () => note('hooks', undefined) }] },
    state: { state: [{ name, initial: 0 }] },
    phases: { phases: { phases: [{ name }], phaseAt: () => note('phases', name) } },
    rewriteBlock: { rewriteBlock: (block) => note('rewriteBlock', block) },
  };
  const scheduled = { weight: ({ fraction }: Clock) => note('weights', 1 - fraction / 2) };
  const kept = Object.entries(features).flatMap(([feature, part]) =>
    without.some((one) => one === feature) ? [] : [part],
  );
  return {
    specVersion: 'v1',
    name,
    config: { method: name },
    plan: (network) => {
      const plan = independentPlan(name, network, headFactory('0c1f'));
      const objectives = plan.objectives.map((one) => (without.includes('weights') ? one : { ...one, ...scheduled }));
      return Object.assign({ ...plan, objectives }, ...kept);
    },
  };
}

/**
 * Trains a decorated host, and returns the features of its plan that the training did not use.
 *
 * @param replaced features that the decorator replaces or rejects; the host has none of them
 */
export async function lostFeatures(
  decorate: (host: LocalLearningMethod) => LocalLearningMethod,
  replaced: readonly HostFeature[],
): Promise<readonly HostFeature[]> {
  const used = new Set<HostFeature>();
  const trial = createTrial(decorate(featuredHost(used, replaced)));
  await trainTrial(trial, 2);
  if ((trial.compiled.plan.state ?? []).some((one) => one.name === name)) used.add('state');
  trial.dispose();
  return hostFeatures.filter((feature) => !used.has(feature) && !replaced.includes(feature));
}
