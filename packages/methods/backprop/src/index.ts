import { finalObjective, type LocalLearningMethod } from '@localgrad/core';

/** End-to-end backpropagation: one loss, the classifier's, that reaches every module. */
export function backprop(): LocalLearningMethod {
  return {
    specVersion: 'v1',
    name: 'backprop',
    config: { method: 'backprop' },
    plan: ({ modules }) => ({ method: 'backprop', objectives: [finalObjective(modules.length, 0)], hooks: [] }),
  };
}
