import type { BackboneFactory, JsonObject, LocalLearningMethod, Optimizer, Schedule } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import type { NamedHeadFactory } from '@localgrad/nn/heads';
import type { Catalog } from './catalog.js';

/** Where a factory is called from. */
export interface FactoryContext {
  /** Name by which the factory was found: `resnet26`. */
  readonly name: string;
  /** For factories that resolve names in their options, as `dgl(head: …)` does. */
  readonly catalog: Catalog;
}

/** Creates a thing from the options of its expression or config. */
export type Factory<Thing> = (options: JsonObject, context: FactoryContext) => Thing;

/** Wraps a method. */
export type DecoratorFactory = (
  of: LocalLearningMethod,
  options: JsonObject,
  context: FactoryContext,
) => LocalLearningMethod;

/** The factory of each kind of thing, by the name of its table. */
export interface Factories {
  readonly methods: Factory<LocalLearningMethod>;
  readonly decorators: DecoratorFactory;
  readonly backbones: Factory<BackboneFactory>;
  /** The one kind that may be asynchronous, since it reads files. */
  readonly datasets: Factory<DatasetSplits | Promise<DatasetSplits>>;
  readonly heads: Factory<NamedHeadFactory>;
  readonly optimizers: Factory<Optimizer>;
  readonly schedules: Factory<Schedule>;
}

/** Name of a table. */
export type TableName = keyof Factories;

/** What a table says of a name. */
export interface Entry<Create> {
  /** One line, for lists and help. */
  readonly description: string;
  readonly create: Create;
  /** The entry also stands for other names of this form: `/^resnet\d+$/`. */
  readonly pattern?: RegExp;
  /** Names of its options, where the catalog's users need them: for help and messages. */
  readonly options?: readonly string[];
}

/** Name → factory, with or without a description. */
export type Table<Create> = Readonly<Record<string, Create | Entry<Create>>>;

/** The tables that a catalog is created from. */
export type Tables = { readonly [Name in TableName]?: Table<Factories[Name]> };

/** What messages call a thing of each table. */
export const labels: Readonly<Record<TableName, string>> = {
  methods: 'method',
  decorators: 'decorator',
  backbones: 'backbone',
  datasets: 'data set',
  heads: 'head',
  optimizers: 'optimizer',
  schedules: 'schedule',
};
