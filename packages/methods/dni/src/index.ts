import { independentPlan, type LocalLearningMethod, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { synthesizer } from './synthesizer.js';

/** Options of `dni`. */
export interface DniOptions {
  /** Number of hidden convolutions of the networks that predict gradients, each with batch norm and ReLU. Default 2. */
  readonly hidden?: number;
  /** Height and width of their filters, an odd number. Default 5. On vectors, filters have one pixel. */
  readonly kernelSize?: number;
  /** Whether predictions also depend on the labels (cDNI). Default false. */
  readonly conditional?: boolean;
}

/**
 * Decoupled neural interfaces with synthetic gradients (Jaderberg et al., ICML 2017; docs/methods/dni.md): every module but the
 * last is trained by a gradient that a small network predicts from the module's output. The network learns from the gradient
 * that the next module computes, of its own loss or from its own synthetic gradient.
 *
 * @throws LocalgradError `unknown-name`, `invalid-option`
 */
export function dni(options: DniOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('dni', options, ['hidden', 'kernelSize', 'conditional']);
  const { hidden = 2, kernelSize = 5, conditional = false } = options;
  requireOption(Number.isInteger(hidden) && hidden >= 0, 'dni', 'hidden', hidden, 'integers ≥ 0');
  const isSize = Number.isInteger(kernelSize) && kernelSize > 0 && kernelSize % 2 === 1;
  requireOption(isSize, 'dni', 'kernelSize', kernelSize, 'odd integers ≥ 1');
  requireOption(typeof conditional === 'boolean', 'dni', 'conditional', conditional, 'true, false');
  const factory = synthesizer({ hidden, kernelSize, conditional });
  return {
    specVersion: 'v1',
    name: 'dni',
    config: { method: 'dni', ...options },
    plan: (network) => independentPlan('dni', network, factory),
  };
}
