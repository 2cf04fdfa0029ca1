import { keep, type Tensor } from '@tensorflow/tfjs';
import { LocalgradError } from './errors.js';
import { formatShape, sameShape } from './shapes.js';

/**
 * What a named tensor is for.
 *
 * - `weight`: trained by gradient.
 * - `frozen`: read by forward passes, never trained by gradient (EMA copies).
 * - `statistic`: a running average that the forward pass updates (batch norm).
 * - `state`: other values that training keeps from step to step; neither trained nor read by `predict`.
 */
export type ParameterKind = 'weight' | 'frozen' | 'statistic' | 'state';

/**
 * A named tensor that lives as long as the network. It owns its tensor: assigning disposes the old one.
 *
 * Every update stores a *new* tensor: backends cache packed weights by data id.
 */
export class Parameter {
  readonly name: string;
  readonly kind: ParameterKind;
  readonly shape: readonly number[];
  #value: Tensor;

  /** Takes ownership of `value`. */
  constructor(name: string, value: Tensor, kind: ParameterKind = 'weight') {
    this.name = name;
    this.kind = kind;
    this.shape = value.shape;
    this.#value = keep(value);
  }

  /** The present tensor. Borrowed: do not dispose it, do not hold it over an update. */
  get value(): Tensor {
    return this.#value;
  }

  get size(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }

  /** Takes ownership of `next` and disposes the old tensor (if it is another one). */
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

  dispose(): void {
    this.#value.dispose();
  }
}

/** Draws start values: `shape` → flat values in row-major order. `random` is private to the parameter. */
export type Initializer = (shape: readonly number[], random: RandomSource) => Float32Array;

/** A seeded generator of numbers. */
export interface RandomSource {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

/**
 * Makes parameters with hierarchical names. Values depend on the root seed and the full name only, not on the order of
 * creation, so that adding a head does not change how the backbone starts.
 */
export interface ParameterScope {
  /** Full dotted prefix; empty at the root. */
  readonly prefix: string;
  /** A scope below this one: `scope('layer1').scope('0')` names `layer1.0.…`. */
  scope(name: string): ParameterScope;
  /** @throws LocalgradError `misuse` when the full name is taken */
  parameter(name: string, shape: readonly number[], initializer: Initializer, kind?: ParameterKind): Parameter;
}
