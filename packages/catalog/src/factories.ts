import type { BackboneFactory, JsonObject, LocalLearningMethod, Optimizer, Schedule } from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import type { NamedHeadFactory } from '@localgrad/nn/heads';
import type { Catalog } from './catalog.js';

/** Context of a factory call. */
export interface FactoryContext {
  /** Name in the expression: `resnet26`. */
  readonly name: string;
  /** Resolves names in options, such as `dgl(head: …)`. */
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

/** Types of the factories, by table name. */
export interface Factories {
  readonly methods: Factory<LocalLearningMethod>;
  readonly decorators: DecoratorFactory;
  readonly backbones: Factory<BackboneFactory>;
  /** May be asynchronous, since it reads files. */
  readonly datasets: Factory<DatasetSplits | Promise<DatasetSplits>>;
  readonly heads: Factory<NamedHeadFactory>;
  readonly optimizers: Factory<Optimizer>;
  readonly schedules: Factory<Schedule>;
}

/** Name of a table. */
export type TableName = keyof Factories;

/** All tables. */
export const tableNames: readonly TableName[] = [
  'methods',
  'decorators',
  'backbones',
  'datasets',
  'heads',
  'optimizers',
  'schedules',
];

/** Entry of a table. */
export interface Entry<Create> {
  /** One line, for lists and help. */
  readonly description: string;
  readonly create: Create;
  /** Further names that the entry matches: `/^resnet\d+$/`. */
  readonly pattern?: RegExp;
  /** Names of its options, for help and messages. */
  readonly options?: readonly string[];
}

/** Factories by name, with or without a description. */
export type Table<Create> = Readonly<Record<string, Create | Entry<Create>>>;

/** The tables that a catalog is created from. */
export type Tables = { readonly [Name in TableName]?: Table<Factories[Name]> };

/** Nouns for messages, by table name. */
export const labels: Readonly<Record<TableName, string>> = {
  methods: 'method',
  decorators: 'decorator',
  backbones: 'backbone',
  datasets: 'data set',
  heads: 'head',
  optimizers: 'optimizer',
  schedules: 'schedule',
};
