import { at, type ParameterGradient } from '@localgrad/core';
import { GradientBuffer } from './accumulation.js';
import type { DelayedSegment } from './delayed-segment.js';

type Receive = (gradients: readonly ParameterGradient[]) => void;

/** The gradients of a step that wait: for further micro-batches, for late ones, or for the end of the step. */
export class StepGradients {
  readonly #segments: readonly DelayedSegment[];
  readonly #waiting: readonly GradientBuffer[];
  /** Present if the update receives all gradients at once. */
  readonly #whole: GradientBuffer | undefined;
  readonly #update: Receive;

  constructor(segments: readonly DelayedSegment[], needsWholeStep: boolean, update: Receive) {
    this.#segments = segments;
    this.#waiting = segments.map(() => new GradientBuffer());
    this.#whole = needsWholeStep ? new GradientBuffer() : undefined;
    this.#update = (gradients) => {
      if (gradients.length > 0) update(gradients);
    };
  }

  /** Receives the gradients of a segment in a micro-batch, with ownership. @param isLast whether it is the step's last one */
  receiverOf(index: number, isLast: boolean): Receive {
    const whole = this.#whole;
    if (whole !== undefined) return (gradients) => whole.add(gradients);
    const waiting = at(this.#waiting, index, 'segment');
    const { segment, weights } = at(this.#segments, index, 'segment');
    return (gradients) => {
      // Weights that receive late gradients, too, wait for these.
      const waits = (one: ParameterGradient) => !isLast || (segment.late.length > 0 && weights.has(one.parameter));
      waiting.add(gradients.filter(waits));
      this.#update(waiting.take(gradients.filter((one) => !waits(one))));
    };
  }

  /** Updates the weights of a segment that have waited. */
  endSegment(index: number): void {
    this.#update(at(this.#waiting, index, 'segment').takeAll());
  }

  /** Updates all weights that have waited for the end of the step. */
  end(): void {
    this.#update(this.#whole?.takeAll() ?? []);
  }

  dispose(): void {
    for (const one of this.#waiting) one.dispose();
    this.#whole?.dispose();
  }
}
