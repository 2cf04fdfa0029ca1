import { classifierObjective, type Head } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';

/**
 * The head that `train` evaluates the network with: that of the plan's final objective if it reads the last module and can
 * measure, otherwise the classifier of the backbone.
 */
export function finalHeadOf({ network, objectives, heads }: CompiledPlan): Head {
  const { backbone, modules } = network;
  const key = classifierObjective(objectives)?.head.key;
  const last = heads.get(modules.length - 1) ?? [];
  const head = last.find((one) => one.key === key)?.head;
  return head?.measure === undefined ? backbone.classifier : head;
}
