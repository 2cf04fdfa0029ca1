import { type JsonObject, LocalgradError } from '@localgrad/core';
import type { Layer } from './layer-graph.js';

type Pair = readonly [number, number];

/** Checked access to the config of a layer. @throws LocalgradError `invalid-data` for values of another type */
export class LayerConfig {
  readonly #layer: Layer;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(layer: Layer) {
    this.#layer = layer;
    this.#values = layer.getConfig();
  }

  /** Name of the layer's class, e.g. `Conv2D`. */
  get className(): string {
    return this.#layer.getClassName();
  }

  has(key: string): boolean {
    const value = this.#values[key];
    return value !== undefined && value !== null;
  }

  number(key: string, fallback?: number): number {
    const value = this.#values[key] ?? fallback;
    return typeof value === 'number' ? value : this.#fail(key, 'a number');
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#values[key] ?? fallback;
    return typeof value === 'boolean' ? value : this.#fail(key, 'true or false');
  }

  text(key: string, fallback: string): string {
    const value = this.#values[key] ?? fallback;
    return typeof value === 'string' ? value : this.#fail(key, 'a text');
  }

  /** A number for both axes, or one for each. */
  pair(key: string, fallback?: number): Pair {
    const value = this.#values[key] ?? fallback;
    if (typeof value === 'number') return [value, value];
    if (isNumbers(value)) {
      const [first, second = first, ...others] = value;
      if (first !== undefined && second !== undefined && others.length === 0) return [first, second];
    }
    return this.#fail(key, 'one or two numbers');
  }

  /** A number, or several. */
  numbers(key: string, fallback: number): readonly number[] {
    const value = this.#values[key] ?? fallback;
    if (typeof value === 'number') return [value];
    return isNumbers(value) ? value : this.#fail(key, 'one or more numbers');
  }

  /** Numbers for top and bottom, left and right. */
  sides(key: string): readonly [Pair, Pair] {
    const value = this.#values[key];
    if (Array.isArray(value) && value.length === 2) {
      const [rows, columns]: unknown[] = value;
      if (isPair(rows) && isPair(columns)) return [rows, columns];
    }
    return this.#fail(key, 'two pairs of numbers');
  }

  /** Class name and config of a serialized object, such as an initializer; undefined if there is none. */
  object(key: string): { readonly className: string; readonly config: JsonObject } | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#values[key];
    if (typeof value === 'object' && value !== null && 'className' in value && 'config' in value) {
      const { className, config } = value;
      if (typeof className === 'string' && isObject(config)) return { className, config };
    }
    return this.#fail(key, 'a serialized object');
  }

  #fail(key: string, expected: string): never {
    const { name } = this.#layer;
    throw new LocalgradError(
      'invalid-data',
      `Layer '${name}' (${this.className}): '${key}' is ${JSON.stringify(this.#values[key])}; expected ${expected}.`,
      { layer: name, key },
    );
  }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'number');
}

function isPair(value: unknown): value is [number, number] {
  return isNumbers(value) && value.length === 2;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}
