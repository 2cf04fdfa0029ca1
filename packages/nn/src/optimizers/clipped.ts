import { at, LocalgradError, type Optimizer, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { clipAll, currentKernels } from '@localgrad/kernels';

/** Options of `clipped`. */
export interface ClippingOptions {
  /** Largest L2 norm of all gradients of a step together; > 0. */
  readonly norm: number;
}

/**
 * Clips the gradients of each step by their global norm before `optimizer` receives them, as PyTorch's
 * `clip_grad_norm_` does: g ← g · min(1, norm / (‖g‖₂ + 10⁻⁶)), where ‖g‖₂ is the norm of all gradients of the step.
 * All of them are in memory at once.
 *
 * @param optimizer disposed with the result
 * @throws LocalgradError `invalid-option`, also for an optimizer that is clipped already
 */
export function clipped(optimizer: Optimizer, options: ClippingOptions): Optimizer {
  rejectUnknownKeys('clipped', options, ['norm']);
  const { norm } = options;
  requireOption(isNorm(norm), 'clipped', 'norm', norm, 'finite numbers > 0');
  const { clipNorm } = optimizer.config;
  if (clipNorm !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `clipped: the config of the optimizer already has clipNorm: ${String(clipNorm)}; clip it once.`,
      { where: 'clipped', option: 'optimizer', clipNorm },
    );
  }
  return {
    config: { ...optimizer.config, clipNorm: norm },
    needsWholeStep: true,
    ...(optimizer.rules === undefined ? {} : { rules: optimizer.rules }),
    stateBytes: (parameter) => optimizer.stateBytes(parameter),
    update(gradients, context) {
      const tensors = gradients.map(({ gradient }) => gradient);
      const results = currentKernels().clipAll?.(tensors, norm) ?? clipAll(tensors, norm);
      return optimizer.update(
        gradients.map(({ parameter }, index) => ({ parameter, gradient: at(results, index, 'gradient') })),
        context,
      );
    },
    state: () => optimizer.state(),
    load: (state) => optimizer.load(state),
    dispose: () => optimizer.dispose(),
  };
}

function isNorm(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
