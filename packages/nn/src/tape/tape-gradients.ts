import { LocalgradError, locatedMessageOf, type Parameter } from '@localgrad/core';
import { clone, engine, keep, type Tensor, type Tensor4D, tidy, zerosLike } from '@tensorflow/tfjs';
import { tensorOf } from './tape-parameters.js';

export interface TapeRequest<T extends Tensor> {
  /** Kind and name of the function's owner, for errors: `tapeBlock 'attention'`. */
  readonly where: string;
  readonly x: Tensor4D;
  readonly trained: readonly Parameter[];
  readonly run: () => T;
  /** Borrowed. */
  readonly dy: T;
  readonly input: boolean;
}

export interface TapeGradients<T extends Tensor> {
  /** The function's value; owned by the caller. */
  readonly value: T;
  /** Zero if the function does not depend on its input. */
  readonly input?: Tensor4D;
  /** Excludes parameters that the function does not depend on. */
  readonly gradients: Map<Parameter, Tensor>;
}

/**
 * Computes the VJP of `run` with the tape. The caller owns the results; all other tensors are disposed.
 *
 * @throws LocalgradError `misuse` with TensorFlow.js' reason if an operation has no gradient, on this backend or any
 */
export function tapeGradients<T extends Tensor>(request: TapeRequest<T>): TapeGradients<T> {
  const { x, trained, dy, input } = request;
  const sources: Tensor[] = [...(input ? [x] : []), ...trained.map(tensorOf)];
  const gradients = new Map<Parameter, Tensor>();
  const { value, found } = tidy(() => {
    const result = gradientsOf(request, sources);
    // Sources that the result does not depend on have no gradient. If the result *is* the source, its gradient is dy
    // itself.
    const own = result.grads.map((gradient: Tensor | null | undefined) => (gradient === dy ? clone(dy) : gradient));
    return { value: result.value as T, found: own as Tensor[] };
  }) as { value: T; found: (Tensor | null | undefined)[] };
  trained.forEach((parameter, index) => {
    const gradient = found[index + (input ? 1 : 0)];
    if (gradient) gradients.set(parameter, gradient);
  });
  if (!input) return { value, gradients };
  const [own] = found;
  return { value, input: own ? (own as Tensor4D) : zerosLike(x), gradients };
}

function gradientsOf<T extends Tensor>({ where, run, dy }: TapeRequest<T>, sources: Tensor[]) {
  try {
    return engine().gradients(run, sources, dy, true);
  } catch (error) {
    if (LocalgradError.isInstance(error)) throw error;
    throw new LocalgradError(
      'misuse',
      `${where}: TensorFlow.js cannot compute its gradient: ${locatedMessageOf(error)}`,
      { where },
      { cause: error },
    );
  }
}

/**
 * Additional tensors that a function returns besides its result, kept from disposal by tidy or the tape. Detached: no
 * gradient propagates through them.
 */
export class Extras {
  readonly #kept: Tensor[] = [];

  keep<T extends Tensor>(tensor: T): T {
    const kept = keep(clone(tensor)) as T;
    this.#kept.push(kept);
    return kept;
  }

  /** Disposes the kept tensors except those in `except`. */
  dispose(except: Iterable<Tensor> = []): void {
    const spared = new Set(except);
    for (const tensor of this.#kept) if (!spared.has(tensor)) tensor.dispose();
    this.#kept.length = 0;
  }
}
