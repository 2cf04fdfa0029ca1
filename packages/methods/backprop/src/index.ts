import { finalObjective, type LocalLearningMethod, rejectUnknownKeys } from '@localgrad/core';

/**
 * End-to-end backpropagation: only the classifier's loss, whose gradient reaches every module.
 *
 * @param options none; every key is rejected
 * @throws LocalgradError `unknown-name`
 */
export function backprop(options: Readonly<Record<string, never>> = {}): LocalLearningMethod {
  rejectUnknownKeys('backprop', options, []);
  return {
    specVersion: 'v1',
    name: 'backprop',
    config: { method: 'backprop' },
    plan: ({ modules }) => ({ method: 'backprop', objectives: [finalObjective(modules.length, 0)], hooks: [] }),
  };
}
