import * as tf from '@tensorflow/tfjs';
import { beforeAll } from 'vitest';
import type { GradientOptions } from './gradients/check-gradient.js';

/** Options of all suites. */
export interface SuiteOptions {
  /** Timeout per test in milliseconds; default 300,000, sufficient on the `cpu` backend. */
  readonly timeout?: number;
}

/** Options of suites that compare gradients with finite differences. */
export interface GradientSuiteOptions extends SuiteOptions {
  readonly gradients?: GradientOptions;
}

export const defaultTimeout = 300_000;

/** Uses the current TensorFlow.js backend, or sets `cpu` if there is none. */
export function useBackend(): void {
  beforeAll(async () => {
    if (tf.getBackend() === undefined) await tf.setBackend('cpu');
    await tf.ready();
  }, defaultTimeout);
}
