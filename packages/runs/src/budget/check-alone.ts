import type { PlanConfig } from '../build-plan.js';
import { configError } from '../config/config-error.js';
import { runDefaults } from '../config/optimization.js';
import { canonicalJson } from '../folder/hash.js';

/** Rejects keys that the budget decides or does not count. @throws LocalgradError about the key */
export function checkAlone(config: PlanConfig): void {
  if ((config.gradientDelay ?? 0) > 0) {
    throw configError(
      'gradientDelay',
      'memoryBudget does not count the batches of earlier steps; remove one of the two.',
      { mentions: ['memoryBudget'] },
    );
  }
  if ((config.delay ?? 0) > 0) {
    throw configError('delay', 'memoryBudget does not count the weights of earlier steps; remove one of the two.', {
      mentions: ['memoryBudget'],
    });
  }
  for (const key of ['partition', 'modules', 'stemModule', 'memory'] as const) {
    if (canonicalJson(config[key] ?? null) === canonicalJson(runDefaults[key] ?? null)) continue;
    throw configError(key, 'has no effect with memoryBudget, which chooses it; remove one of the two.', {
      mentions: ['memoryBudget'],
    });
  }
}
