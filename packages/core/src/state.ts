import { LocalgradError } from './errors.js';
import type { JsonValue } from './json.js';
import type { Initializer, Parameter } from './parameter.js';

/** A tensor that a plan keeps from step to step. */
export interface TensorStateDeclaration {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
}

/** A plain value that a plan keeps from step to step. */
export interface ValueStateDeclaration {
  readonly name: string;
  readonly initial: JsonValue;
}

/** Named state of a method or decorator. Checkpoints keep it; compiling a plan creates it anew. */
export type StateDeclaration = TensorStateDeclaration | ValueStateDeclaration;

/** The state that a plan declared, for its hooks and phases. */
export interface PlanState {
  /** @throws LocalgradError `misuse` for names that the plan did not declare as tensors */
  tensor(name: string): Parameter;
  /** @throws LocalgradError `misuse` for names that the plan did not declare as values */
  get(name: string): JsonValue;
  /** @throws LocalgradError `misuse` for names that the plan did not declare as values */
  set(name: string, value: JsonValue): void;
}

/** State of a compiled plan, with what checkpoints need. */
export class StoredPlanState implements PlanState {
  readonly #tensors: ReadonlyMap<string, Parameter>;
  readonly #values: Map<string, JsonValue>;

  /** @param tensors by declared name */
  constructor(declarations: readonly StateDeclaration[] = [], tensors: ReadonlyMap<string, Parameter> = new Map()) {
    this.#tensors = tensors;
    this.#values = new Map(declarations.flatMap((one) => ('initial' in one ? [[one.name, one.initial] as const] : [])));
  }

  tensor(name: string): Parameter {
    return this.#tensors.get(name) ?? this.#unknown('tensor', name, this.#tensors);
  }

  get(name: string): JsonValue {
    return this.#values.get(name) ?? (this.#values.has(name) ? null : this.#unknown('value', name, this.#values));
  }

  set(name: string, value: JsonValue): void {
    if (!this.#values.has(name)) this.#unknown('value', name, this.#values);
    this.#values.set(name, value);
  }

  /** All plain values, for a checkpoint. */
  values(): Readonly<Record<string, JsonValue>> {
    return Object.fromEntries(this.#values);
  }

  /** Replaces the plain values. @throws LocalgradError `invalid-data` when names differ from those declared */
  restore(values: Readonly<Record<string, JsonValue>>): void {
    const names = Object.keys(values);
    const missing = [...this.#values.keys()].filter((name) => !Object.hasOwn(values, name));
    const unknown = names.filter((name) => !this.#values.has(name));
    if (missing.length > 0 || unknown.length > 0) {
      const problems = [
        ...missing.map((name) => `'${name}' is missing`),
        ...unknown.map((name) => `'${name}' is unknown`),
      ];
      throw new LocalgradError('invalid-data', `The saved state does not match the plan: ${problems.join('; ')}.`, {
        missing,
        unknown,
      });
    }
    for (const name of names) this.#values.set(name, values[name] ?? null);
  }

  #unknown(kind: string, name: string, known: ReadonlyMap<string, unknown>): never {
    throw new LocalgradError(
      'misuse',
      `The plan declares no ${kind} '${name}' as state; declared: ${[...known.keys()].join(', ') || 'none'}.`,
      { name },
    );
  }
}
