import * as tf from '@tensorflow/tfjs';
import { beforeAll } from 'vitest';
import type { GradientOptions } from './gradients/check-gradient.js';

/** Options of every suite. */
export interface SuiteOptions {
  /** Milliseconds that one test may take; default 120,000, enough on the `cpu` backend. */
  readonly timeout?: number;
}

/** Options of suites that compare gradients with finite differences. */
export interface GradientSuiteOptions extends SuiteOptions {
  readonly gradients?: GradientOptions;
}

export const defaultTimeout = 120_000;

/** Uses the TensorFlow.js backend that is set, or `cpu`. */
export function useBackend(): void {
  beforeAll(async () => {
    if (tf.getBackend() === undefined) await tf.setBackend('cpu');
    await tf.ready();
  }, defaultTimeout);
}
