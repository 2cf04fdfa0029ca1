import * as tf from '@tensorflow/tfjs';

/** Gradients that left a segment in one step, by the age with which they arrive at the segment before it. */
export type Departed = ReadonlyMap<number, readonly tf.Tensor4D[]>;

/** Gradients on their way from one segment to the one before it, by the step in which they left. */
export class DepartedGradients {
  readonly #steps = new Map<number, Map<number, tf.Tensor4D[]>>();

  /** Takes ownership of the gradient. */
  add(step: number, age: number, gradient: tf.Tensor4D): void {
    const ages = this.#steps.get(step) ?? new Map<number, tf.Tensor4D[]>();
    this.#steps.set(step, ages);
    const gradients = ages.get(age) ?? [];
    ages.set(age, gradients);
    gradients.push(tf.keep(gradient));
  }

  /** Removes and returns those of a step; owned by the caller. */
  take(step: number): Departed {
    const departed = this.#steps.get(step) ?? new Map();
    this.#steps.delete(step);
    return departed;
  }

  /** Number of gradients of a step with an age. */
  count(step: number, age: number): number {
    return this.#steps.get(step)?.get(age)?.length ?? 0;
  }

  /** All of them by name; borrowed. */
  tensors(): Map<string, tf.Tensor> {
    return new Map(
      [...this.#steps].flatMap(([step, ages]) =>
        [...ages].flatMap(([age, gradients]) =>
          gradients.map((gradient, index) => [`${step}/gradients/${age}/${index}`, gradient] as const),
        ),
      ),
    );
  }

  dispose(): void {
    for (const ages of this.#steps.values()) for (const gradients of ages.values()) tf.dispose(gradients);
    this.#steps.clear();
  }
}
