import { independentPlan, type LocalLearningMethod, rejectUnknownKeys } from '@localgrad/core';
import { headFactory } from '@localgrad/nn/heads';

/**
 * Greedy supervised learning: every module has the smallest auxiliary head, pooling and one dense layer
 * (docs/methods/greedy.md §1).
 *
 * @param options none; every key is rejected (`dgl` has an option for the head)
 * @throws LocalgradError `unknown-name`
 */
export function greedy(options: Readonly<Record<string, never>> = {}): LocalLearningMethod {
  rejectUnknownKeys('greedy', options, []);
  const factory = headFactory('0c1f');
  return {
    specVersion: 'v1',
    name: 'greedy',
    config: { method: 'greedy' },
    plan: (network) => independentPlan('greedy', network, factory),
  };
}
