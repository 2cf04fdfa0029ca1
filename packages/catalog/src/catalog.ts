import {
  type BackboneFactory,
  type JsonObject,
  LocalgradError,
  type LocalLearningMethod,
  type Optimizer,
  parseExpression,
  type Schedule,
} from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import type { NamedHeadFactory } from '@localgrad/nn/heads';
import { createDataset, createThing } from './contracts.js';
import { doubleOption, needsMethod, unknownThing, wrapsNothing } from './errors.js';
import {
  type Entry,
  type Factories,
  type FactoryContext,
  labels,
  type Table,
  type TableName,
  type Tables,
  tableNames,
} from './factories.js';
import { type MethodRequest, requestOf } from './method-config.js';

/** Options in addition to those of the expression, such as the config key `learningRate`; `undefined` values are ignored. */
export type MoreOptions = Readonly<Record<string, JsonObject[string] | undefined>>;

/** Creates things by name. Immutable: `with` returns an extended copy. */
export interface Catalog {
  /** Returns a catalog with additional entries; an entry with a known name replaces the old one. */
  with(tables: Tables): Catalog;
  /** The names in a table, in order. */
  names(table: TableName): readonly string[];
  /** The entry of a name; undefined if the table lacks it. */
  entry<Name extends TableName>(table: Name, name: string): Entry<Factories[Name]> | undefined;
  /**
   * Creates a method from its expression (`lam(mlm(dgl, window: 3))`) or its config
   * (`{ decorator: 'mlm', of: { method: 'dgl' }, window: 3 }`).
   *
   * @throws LocalgradError `unknown-name`, `invalid-option`; so do all others
   */
  method(expression: string | JsonObject): LocalLearningMethod;
  backbone(expression: string, more?: MoreOptions): BackboneFactory;
  dataset(expression: string, more?: MoreOptions): Promise<DatasetSplits>;
  head(expression: string, more?: MoreOptions): NamedHeadFactory;
  optimizer(expression: string, more?: MoreOptions): Optimizer;
  schedule(expression: string, more?: MoreOptions): Schedule;
}

/** Creates a catalog from tables of names. */
export function createCatalog(tables: Tables): Catalog {
  return new TableCatalog(tables);
}

class TableCatalog implements Catalog {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  with(tables: Tables): Catalog {
    return new TableCatalog(
      Object.fromEntries(tableNames.map((name) => [name, { ...this.#tables[name], ...tables[name] }])),
    );
  }

  names(table: TableName): readonly string[] {
    return Object.keys(this.#tables[table] ?? {});
  }

  entry<Name extends TableName>(table: Name, name: string): Entry<Factories[Name]> | undefined {
    const entries: Table<Factories[Name]> = this.#tables[table] ?? {};
    const own = Object.hasOwn(entries, name) ? entries[name] : undefined;
    if (own !== undefined) return entryOf(own);
    return Object.values(entries)
      .map(entryOf)
      .find(({ pattern }) => pattern?.test(name) === true);
  }

  method(expression: string | JsonObject): LocalLearningMethod {
    return this.#method(typeof expression === 'string' ? parseExpression(expression) : requestOf(expression));
  }

  backbone(expression: string, more?: MoreOptions): BackboneFactory {
    const { create, options, context } = this.#find('backbones', expression, more);
    return createThing('backbones', context.name, () => create(options, context));
  }

  async dataset(expression: string, more?: MoreOptions): Promise<DatasetSplits> {
    const { create, options, context } = this.#find('datasets', expression, more);
    return createDataset(context.name, () => create(options, context));
  }

  head(expression: string, more?: MoreOptions): NamedHeadFactory {
    const { create, options, context } = this.#find('heads', expression, more);
    return createThing('heads', context.name, () => create(options, context));
  }

  optimizer(expression: string, more?: MoreOptions): Optimizer {
    const { create, options, context } = this.#find('optimizers', expression, more);
    return createThing('optimizers', context.name, () => create(options, context));
  }

  schedule(expression: string, more?: MoreOptions): Schedule {
    const { create, options, context } = this.#find('schedules', expression, more);
    return createThing('schedules', context.name, () => create(options, context));
  }

  #method({ name, of, options }: MethodRequest): LocalLearningMethod {
    const context = { name, catalog: this };
    if (of === undefined) {
      const entry = this.entry('methods', name);
      if (entry !== undefined) return createThing('methods', name, () => entry.create(options, context));
      throw this.entry('decorators', name) === undefined
        ? unknownThing(this, 'methods', name)
        : needsMethod(this, name);
    }
    const entry = this.entry('decorators', name);
    if (entry !== undefined) {
      const host = this.#method(of);
      return createThing('decorators', name, () => entry.create(host, options, context));
    }
    throw this.entry('methods', name) === undefined
      ? unknownThing(this, 'methods', name)
      : wrapsNothing(this, name, of.name);
  }

  #find<Name extends Exclude<TableName, 'methods' | 'decorators'>>(
    table: Name,
    text: string,
    more: MoreOptions = {},
  ): { create: Factories[Name]; options: JsonObject; context: FactoryContext } {
    const { name, of, options } = parseExpression(text, labels[table]);
    const entry = this.entry(table, name);
    if (entry === undefined) throw unknownThing(this, table, name);
    if (of !== undefined) {
      throw new LocalgradError(
        'invalid-option',
        `${labels[table]} '${name}' takes options only, written 'option: value'; found '${of.name}'.`,
        { name, of: of.name },
      );
    }
    const given: JsonObject = Object.fromEntries(
      Object.entries(more).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    );
    const twice = Object.keys(given).find((key) => Object.hasOwn(options, key));
    if (twice !== undefined) throw doubleOption(labels[table], text, twice);
    return { create: entry.create, options: { ...given, ...options }, context: { name, catalog: this } };
  }
}

function entryOf<Create>(value: Create | Entry<Create>): Entry<Create> {
  return typeof value === 'function' ? { description: '', create: value } : (value as Entry<Create>);
}
