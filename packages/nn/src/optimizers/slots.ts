import { formatShape, LocalgradError, type Parameter, sameShape } from '@localgrad/core';
import { keep, type Tensor } from '@tensorflow/tfjs';

/** State tensors of an optimizer, named `slot/parameter`. */
export class Slots {
  readonly #optimizer: string;
  readonly #slots: readonly string[];
  readonly #tensors = new Map<string, Tensor>();

  /** @param slots names of the slots that the optimizer uses */
  constructor(optimizer: string, slots: readonly string[]) {
    this.#optimizer = optimizer;
    this.#slots = slots;
  }

  /** All tensors by name; borrowed. */
  get all(): ReadonlyMap<string, Tensor> {
    return this.#tensors;
  }

  /** Borrowed; undefined before the parameter's first update. */
  get(slot: string, parameter: Parameter): Tensor | undefined {
    const tensor = this.#tensors.get(`${slot}/${parameter.name}`);
    if (tensor !== undefined && !sameShape(tensor.shape, parameter.shape)) {
      throw new LocalgradError(
        'invalid-data',
        `State '${slot}/${parameter.name}' of optimizer '${this.#optimizer}' has shape ${formatShape(tensor.shape)}, but the parameter has ${formatShape(parameter.shape)}.`,
        { slot, parameter: parameter.name, found: tensor.shape, expected: parameter.shape },
      );
    }
    return tensor;
  }

  /** Takes ownership of `tensor`. Does not dispose the previous one, which the update has consumed. */
  set(slot: string, parameter: Parameter, tensor: Tensor): void {
    this.#tensors.set(`${slot}/${parameter.name}`, keep(tensor));
  }

  /** Replaces all tensors. Takes ownership. @throws LocalgradError `invalid-data` for other slots */
  load(state: ReadonlyMap<string, Tensor>): void {
    const unknown = [...state.keys()].find((name) => !this.#slots.some((slot) => name.startsWith(`${slot}/`)));
    if (unknown !== undefined) {
      throw new LocalgradError(
        'invalid-data',
        `Optimizer '${this.#optimizer}' has no state '${unknown}'; allowed: ${this.#slots.map((slot) => `${slot}/<parameter>`).join(', ') || 'none'}.`,
        { optimizer: this.#optimizer, name: unknown },
      );
    }
    this.dispose();
    for (const [name, tensor] of state) this.#tensors.set(name, keep(tensor));
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
