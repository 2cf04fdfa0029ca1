import type { GradientDelayOptions } from '@localgrad/engine';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** The keys that late gradients depend on. */
type GradientDelayConfig = Partial<Pick<RunConfig, 'gradientDelay' | 'gradientDelayCuts' | 'accumulate'>>;

/** By how much, and where, gradients are late. @throws LocalgradError about keys that exclude each other */
export function gradientDelayOf({
  gradientDelay = 0,
  gradientDelayCuts,
  accumulate = 1,
}: GradientDelayConfig): GradientDelayOptions {
  if (gradientDelay === 0 && gradientDelayCuts !== undefined) {
    throw configError('gradientDelayCuts', 'has no effect without gradientDelay; remove it, or set gradientDelay.', {
      mentions: ['gradientDelay'],
    });
  }
  if (gradientDelay > 0 && accumulate > 1) {
    throw configError(
      'gradientDelay',
      'keeps whole batches of earlier steps, but accumulate divides them; remove one of the two.',
      { mentions: ['accumulate'] },
    );
  }
  if (gradientDelayCuts === undefined) return { steps: gradientDelay };
  return { steps: gradientDelay, cuts: gradientDelayCuts.split(/\s+/).map(Number) };
}
