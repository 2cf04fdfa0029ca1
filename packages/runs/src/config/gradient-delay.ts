import type { CompiledPlan, GradientDelayOptions } from '@localgrad/engine';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** The keys that late gradients depend on. */
type GradientDelayConfig = Partial<Pick<RunConfig, 'gradientDelay' | 'gradientDelayCuts'>>;

/** By how much, and where, gradients are late. @throws LocalgradError about cuts without a delay */
export function gradientDelayOf({ gradientDelay = 0, gradientDelayCuts }: GradientDelayConfig): GradientDelayOptions {
  if (gradientDelay === 0 && gradientDelayCuts !== undefined) {
    throw configError('gradientDelayCuts', 'has no effect without gradientDelay; remove it, or set gradientDelay.', {
      mentions: ['gradientDelay'],
    });
  }
  if (gradientDelayCuts === undefined) return { steps: gradientDelay };
  return { steps: gradientDelay, cuts: gradientDelayCuts.split(/\s+/).map(Number) };
}

/**
 * Rejects delays where nothing is late.
 *
 * @throws LocalgradError about the key `delay` or `gradientDelay`
 */
export function checkDelays(
  { delay = 0, gradientDelay = 0 }: Partial<Pick<RunConfig, 'delay' | 'gradientDelay'>>,
  { plan, histories, gradientDelay: late }: Pick<CompiledPlan, 'plan' | 'histories' | 'gradientDelay'>,
): void {
  if (delay > 0 && histories.length === 0) {
    const why = `no moving average of '${plan.method}' follows the weights of another module`;
    throw configError('delay', `${delay} has no effect, because ${why}; remove it.`);
  }
  if (gradientDelay > 0 && late === undefined) {
    const why = `no gradient of '${plan.method}' crosses from module to module`;
    throw configError('gradientDelay', `${gradientDelay} has no effect, because ${why}; remove it.`);
  }
}
