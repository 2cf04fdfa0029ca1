import { type LocalLearningMethod, type MethodDecorator, rejectUnknownKeys } from '@localgrad/core';
import { type LamTarget, lam } from '@localgrad/lam';

export interface ManOptions {
  /** Fraction of the averages that is kept per step; default 0.995. */
  readonly momentum?: number;
  /**
   * Weights of the trained block and of its average: s and 2 − s with a trained number s (`learned`, default: MAN++), or
   * a plain sum (`none`: MAN).
   */
  readonly scale?: 'none' | 'learned';
  /** Heads that get the block; default `independent`. */
  readonly on?: LamTarget;
  /** Initial weights of both blocks: random values of their own (default), or those of the live block (`copy`). */
  readonly initialize?: 'independent' | 'copy';
  /** Whether averages use the weights after the optimizer step (default), or before it (the official code). */
  readonly emaTime?: 'afterStep' | 'beforeStep';
}

const defaults: ManOptions = { on: 'independent', scale: 'learned', initialize: 'independent' };

/**
 * Momentum auxiliary network (Su et al., MAN, ECCV 2024; MAN++): each head reads its module's output through the block
 * that follows the module: a trained copy of it plus its exponential moving average. A configuration of `lam`.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function man(of: LocalLearningMethod, options: ManOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('man', options, ['momentum', 'scale', 'on', 'initialize', 'emaTime']);
  const inner = lam(of, { ...defaults, ...options, leap: 'next' });
  const name = `man(${of.name})`;
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'man', of: of.config, ...options },
    plan: (network) => ({ ...inner.plan(network), method: name }),
  };
}

/** `man` with its options, as a decorator for `compose`. */
export function withMan(options: ManOptions = {}): MethodDecorator {
  return (method) => man(method, options);
}
