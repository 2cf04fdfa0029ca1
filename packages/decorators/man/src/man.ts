import {
  at,
  type BlockReference,
  composedDecorator,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
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
  /**
   * Blocks after the module that the heads read through; only the first has an average. Default 1. MAN++ uses 2 in vision
   * transformers. Fewer where the network ends.
   */
  readonly depth?: number;
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
  rejectUnknownKeys('man', options, ['momentum', 'scale', 'on', 'initialize', 'depth', 'emaTime']);
  const { depth = 1, ...lamOptions } = options;
  requireOption(Number.isInteger(depth) && depth >= 1, 'man', 'depth', depth, 'integers ≥ 1');
  return composedDecorator({ decorator: 'man', of, options }, (name, network) => {
    const leap = network === undefined ? 'next' : nextBlocks(network, depth);
    return lam(of, { ...defaults, ...lamOptions, leap }, name);
  });
}

/** For each module but the last, the blocks after it. */
function nextBlocks({ backbone: { blocks }, modules }: Network, depth: number): BlockReference[][] {
  return modules.slice(1).map(({ members }) => {
    const start = blocks.indexOf(at(members, 0, 'block of the module'));
    return blocks.slice(start, start + depth).map(({ reference }) => reference);
  });
}

/** `man` with its options, as a decorator for `compose`. */
export function withMan(options: ManOptions = {}): MethodDecorator {
  return (method) => man(method, options);
}
