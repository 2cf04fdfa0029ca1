import { LocalgradError } from './errors.js';
import type { JsonValue } from './json.js';
import type { Initializer, Parameter } from './parameter.js';

/** A tensor that persists between the steps of a plan. */
export interface TensorStateDeclaration {
  /** Name of the state, unique in the plan. */
  readonly name: string;
  /** Shape of the tensor. */
  readonly shape: readonly number[];
  /** Initial values. */
  readonly initializer: Initializer;
}

/** A JSON value that persists between the steps of a plan. */
export interface ValueStateDeclaration {
  /** Name of the state, unique in the plan. */
  readonly name: string;
  /** Value at the start of training. */
  readonly initial: JsonValue;
}

/** Named state of a method or decorator. Stored in checkpoints; initialized when a plan is compiled. */
export type StateDeclaration = TensorStateDeclaration | ValueStateDeclaration;

/** Access to a plan's declared state for its hooks and phases. */
export interface PlanState {
  /** @throws LocalgradError `misuse` for names not declared as tensors */
  tensor(name: string): Parameter;
  /** @throws LocalgradError `misuse` for names not declared as values */
  get(name: string): JsonValue;
  /** @throws LocalgradError `misuse` for names not declared as values, and for values that JSON cannot represent: NaN, undefined, a Map */
  set(name: string, value: JsonValue): void;
}

/** State of a compiled plan, with serialization for checkpoints. */
export class StoredPlanState implements PlanState {
  readonly #tensors: ReadonlyMap<string, Parameter>;
  readonly #values: Map<string, JsonValue>;

  /** @param tensors by declared name */
  constructor(declarations: readonly StateDeclaration[] = [], tensors: ReadonlyMap<string, Parameter> = new Map()) {
    this.#tensors = tensors;
    this.#values = new Map(declarations.flatMap((one) => ('initial' in one ? [[one.name, one.initial] as const] : [])));
    for (const [name, value] of this.#values) requireJson(name, value);
  }

  tensor(name: string): Parameter {
    return this.#tensors.get(name) ?? this.#unknown('tensor', name, this.#tensors);
  }

  get(name: string): JsonValue {
    return this.#values.get(name) ?? (this.#values.has(name) ? null : this.#unknown('value', name, this.#values));
  }

  set(name: string, value: JsonValue): void {
    if (!this.#values.has(name)) this.#unknown('value', name, this.#values);
    requireJson(name, value);
    this.#values.set(name, value);
  }

  /** All JSON values, for a checkpoint. */
  values(): Readonly<Record<string, JsonValue>> {
    return Object.fromEntries(this.#values);
  }

  /** Replaces the JSON values. @throws LocalgradError `invalid-data` when the names differ from the declared ones */
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
      `The plan declares no state ${kind} '${name}'; declared: ${[...known.keys()].join(', ') || 'none'}.`,
      { name },
    );
  }
}

/** @throws LocalgradError `misuse` for a value that a checkpoint would not restore: JSON turns NaN into null */
function requireJson(name: string, value: unknown): void {
  const problem = problemOf(value, name);
  if (problem === undefined) return;
  throw new LocalgradError(
    'misuse',
    `State value '${name}' cannot be stored in checkpoints: ${problem}; allowed: strings, finite numbers, booleans, null, and lists and plain objects of these.`,
    { name },
  );
}

/** What JSON would change in a value; `path` names it. */
function problemOf(value: unknown, path: string): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (Array.isArray(value)) return firstOf(value.map((one, index) => problemOf(one, `${path}[${index}]`)));
  if (typeof value !== 'object') return `${path} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${path} is a ${value.constructor.name}`;
  return firstOf(Object.entries(value).map(([key, one]) => problemOf(one, `${path}.${key}`)));
}

function firstOf(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}
