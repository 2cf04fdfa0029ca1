import { LocalgradError } from '@localgrad/core';
import type { UpdateGroup } from './trace.js';

/** Receives the numbers of update kernels before a replay. */
export class Refresh {
  readonly #updates: readonly (readonly UpdateGroup[])[];
  readonly #set: (operation: number, offset: number, value: number) => void;
  #next = 0;

  constructor(
    updates: readonly (readonly UpdateGroup[])[],
    set: (operation: number, offset: number, value: number) => void,
  ) {
    this.#updates = updates;
    this.#set = set;
  }

  /**
   * Takes the numbers of the next kernel call.
   *
   * @param numbersOf the numbers of a request, by name
   * @param isSame whether two requests may still be updated by one dispatch
   */
  take<Request>(
    requests: readonly Request[],
    numbersOf: (request: Request) => Readonly<Record<string, number>>,
    isSame: (request: Request, other: Request) => boolean,
  ): void {
    const groups = this.#updates[this.#next++] ?? [];
    const known = groups.reduce((sum, { indices }) => sum + indices.length, 0);
    for (const { indices, operation, numbers } of groups) {
      const members = indices.flatMap((index) => requests[index] ?? []);
      const [first] = members;
      if (first === undefined || known !== requests.length || !members.every((one) => isSame(one, first))) {
        throw new LocalgradError(
          'misuse',
          'The optimizer updates other weights, or updates them differently, than in the steps that were recorded. Disable recorded steps.',
        );
      }
      const values = numbersOf(first);
      for (const [name, offset] of numbers) this.#set(operation, offset, values[name] ?? 0);
    }
  }
}
