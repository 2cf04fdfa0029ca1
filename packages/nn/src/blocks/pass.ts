import { LocalgradError, type Pass } from '@localgrad/core';
import type { Tensor4D } from '@tensorflow/tfjs';

/** A pass that stores residuals until it is released. */
export class TrainingPass<R> implements Pass {
  /** Borrowed from its owner, who keeps it alive until the pass is released. */
  readonly input: Tensor4D;
  /** Owned by the caller of `forward`, who keeps it alive until the pass is released. */
  readonly output: Tensor4D;
  readonly #owner: object;
  readonly #dispose: (residuals: R) => void;
  #residuals: { readonly value: R } | undefined;

  constructor(owner: object, input: Tensor4D, output: Tensor4D, residuals: R, dispose: (residuals: R) => void) {
    this.#owner = owner;
    this.input = input;
    this.output = output;
    this.#residuals = { value: residuals };
    this.#dispose = dispose;
  }

  /**
   * Returns the residuals of a pass of `owner`; with `take`, ownership moves to the caller.
   *
   * @throws LocalgradError `misuse` for passes of other blocks, passes in evaluation mode, and released passes
   */
  static open<R>(owner: { readonly name: string }, pass: Pass, take: boolean): R {
    if (!(pass instanceof TrainingPass) || pass.#owner !== owner) {
      throw new LocalgradError(
        'misuse',
        `Block '${owner.name}': vjp requires a pass created by this block's own forward in training mode.`,
        { block: owner.name },
      );
    }
    const residuals = pass.#residuals as { readonly value: R } | undefined;
    if (residuals === undefined) {
      throw new LocalgradError('misuse', `Block '${owner.name}': vjp was called after the pass was released.`, {
        block: owner.name,
      });
    }
    if (take) pass.#residuals = undefined;
    return residuals.value;
  }

  release(): void {
    const residuals = this.#residuals;
    this.#residuals = undefined;
    if (residuals !== undefined) this.#dispose(residuals.value);
  }
}

/** A pass without residuals. */
export function evaluationPass(input: Tensor4D, output: Tensor4D): Pass {
  return { input, output, release: () => {} };
}
