import { independentPlan, type LocalLearningMethod } from '@localgrad/core';
import { headFactory } from '@localgrad/nn';

/** Greedy supervised learning: every module has the smallest head there is, pooling and one dense layer (methods.md §4.1). */
export function greedy(): LocalLearningMethod {
  return {
    specVersion: 'v1',
    name: 'greedy',
    config: { method: 'greedy' },
    plan: (network) => independentPlan('greedy', network, headFactory('0c1f')),
  };
}
