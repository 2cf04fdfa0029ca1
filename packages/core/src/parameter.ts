import { keep, type Tensor } from '@tensorflow/tfjs';
import { LocalgradError } from './errors.js';
import { formatShape, sameShape } from './shapes.js';

/**
 * Role of a named tensor.
 *
 * - `weight`: trained by gradient.
 * - `frozen`: used in forward passes but not trained by gradient (EMA copies).
 * - `statistic`: a running average that the forward pass updates (batch norm).
 * - `state`: other values that persist between training steps; neither trained nor used by `predict`.
 */
export type ParameterKind = 'weight' | 'frozen' | 'statistic' | 'state';

/**
 * A named tensor with the lifetime of the network. It owns its tensor: assigning a new one disposes the old one.
 *
 * Every update stores a *new* tensor, because backends cache packed weights by data ID.
 */
export class Parameter {
  /** Full name, e.g. `layer1.0.conv1.weight`. */
  readonly name: string;
  /** Whether the parameter is trained, frozen, a running statistic or state. */
  readonly kind: ParameterKind;
  /** Shape of the tensor. */
  readonly shape: readonly number[];
  #value: Tensor;

  /** Takes ownership of `value`. */
  constructor(name: string, value: Tensor, kind: ParameterKind = 'weight') {
    this.name = name;
    this.kind = kind;
    this.shape = value.shape;
    this.#value = keep(value);
  }

  /** The current tensor. Borrowed: do not dispose it, and do not keep it across an update. */
  get value(): Tensor {
    return this.#value;
  }

  /** Number of values. */
  get size(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }

  /** Takes ownership of `next` and disposes the previous tensor, if it is a different one. */
  assign(next: Tensor): void {
    if (!sameShape(next.shape, this.shape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `Parameter '${this.name}' has shape ${formatShape(this.shape)}, but a tensor of shape ${formatShape(next.shape)} was assigned.`,
        { parameter: this.name, expected: this.shape, found: next.shape },
      );
    }
    if (next === this.#value) return;
    const old = this.#value;
    this.#value = keep(next);
    old.dispose();
  }

  /** Disposes the tensor. The parameter must not be used afterwards. */
  dispose(): void {
    this.#value.dispose();
  }
}

/** Creates initial values: `shape` → flat values in row-major order. `random` is private to the parameter. */
export type Initializer = (shape: readonly number[], random: RandomSource) => Float32Array;

/** A seeded random number generator. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

/**
 * Creates parameters with hierarchical names. Initial values depend only on the root seed and the full name, not on the
 * order of creation, so that adding a head does not change the backbone's initial weights.
 */
export interface ParameterScope {
  /** Full dotted prefix; empty at the root. */
  readonly prefix: string;
  /** A nested scope: `scope('layer1').scope('0')` names `layer1.0.…`. */
  scope(name: string): ParameterScope;
  /** @throws LocalgradError `misuse` when the full name already exists */
  parameter(name: string, shape: readonly number[], initializer: Initializer, kind?: ParameterKind): Parameter;
}
