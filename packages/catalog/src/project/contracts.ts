import { LocalgradError, requireSynchronous } from '@localgrad/core';
import { type Factories, labels, type TableName } from '../factories.js';

/** The export that a package or file needs for one kind of thing. */
interface Contract {
  /** Name of the export; a default export is accepted too, except for decorators. */
  readonly export: string;
  readonly signature: string;
  /** Required members of a created thing, with their types. */
  readonly members: Readonly<Record<string, 'function' | 'string' | 'object'>>;
}

const method = { name: 'string', config: 'object', plan: 'function' } as const;

const contracts: Readonly<Record<TableName, Contract>> = {
  methods: { export: 'method', signature: '(options) => LocalLearningMethod', members: method },
  decorators: { export: 'decorator', signature: '(of, options) => LocalLearningMethod', members: method },
  backbones: {
    export: 'backbone',
    signature: '(options) => BackboneFactory',
    members: { name: 'string', config: 'object', build: 'function' },
  },
  datasets: {
    export: 'dataset',
    signature: '(options) => DatasetSplits, or a promise of it',
    members: { config: 'object', train: 'object', test: 'object' },
  },
  heads: {
    export: 'head',
    signature: '(options) => HeadFactory',
    members: { name: 'string', build: 'function' },
  },
  optimizers: {
    export: 'optimizer',
    signature: '(options) => Optimizer',
    members: {
      config: 'object',
      stateBytes: 'function',
      update: 'function',
      state: 'function',
      load: 'function',
      dispose: 'function',
    },
  },
  schedules: { export: 'schedule', signature: '(options) => Schedule', members: { rate: 'function' } },
};

type AnyFunction = (...values: readonly unknown[]) => unknown;
type Exports = Readonly<Record<string, unknown>>;

/** The factory that a module exports for a kind of thing, which checks its results; undefined if it exports none. */
export function exportedFactory<Name extends TableName>(
  table: Name,
  name: string,
  exports: Exports,
): Factories[Name] | undefined {
  const contract = contracts[table];
  const named = exports[contract.export];
  const found = typeof named === 'function' || table === 'decorators' ? named : exports.default;
  if (typeof found !== 'function') return undefined;
  const create: AnyFunction = found as AnyFunction;
  const checked = (...values: readonly unknown[]) => {
    const created = create(...values);
    if (created instanceof Promise && table === 'datasets')
      return created.then((thing: unknown) => check(table, name, thing));
    requireSynchronous(created, `The ${labels[table]} factory of '${name}'`);
    return check(table, name, created);
  };
  return checked as Factories[Name];
}

/** An error for a module that does not export this kind of thing. */
export function noExport(table: TableName, name: string, exports: Exports): LocalgradError {
  const { export: own, signature } = contracts[table];
  const wrong =
    exports[own] !== undefined ? own : table !== 'decorators' && exports.default !== undefined ? 'default' : undefined;
  if (wrong !== undefined) {
    return new LocalgradError(
      'invalid-option',
      `The export '${wrong}' of '${name}' is not a function. To be used as a ${labels[table]} it must be a factory, ${signature}.`,
      { name, export: wrong },
    );
  }
  const found = Object.keys(exports).join(', ') || 'nothing';
  const orDefault = table === 'decorators' ? '' : ' or a default export';
  return new LocalgradError(
    'invalid-option',
    `'${name}' exports ${found}. To be used as a ${labels[table]} it needs the export '${own}'${orDefault}: ${signature}.`,
    { name, exports: Object.keys(exports) },
  );
}

function check(table: TableName, name: string, thing: unknown): unknown {
  const { members, signature } = contracts[table];
  const memberOf = (key: string): unknown =>
    typeof thing === 'object' && thing !== null ? Reflect.get(thing, key) : undefined;
  const missing = Object.entries(members).flatMap(([key, type]) =>
    typeof memberOf(key) === type && memberOf(key) !== null ? [] : [`'${key}' (${type})`],
  );
  if (missing.length > 0) {
    const found = typeof thing === 'object' && thing !== null ? `lacks ${missing.join(', ')}` : `is ${String(thing)}`;
    throw new LocalgradError(
      'invalid-option',
      `The ${labels[table]} that '${name}' creates ${found}. Expected: ${signature}.`,
      { name, missing },
    );
  }
  const isMethod = table === 'methods' || table === 'decorators';
  const specVersion = memberOf('specVersion');
  if (isMethod && specVersion !== 'v1') {
    throw new LocalgradError(
      'invalid-option',
      `The ${labels[table]} that '${name}' creates has specVersion '${String(specVersion)}'; this version of localgrad supports 'v1'. Another version of the package may support it.`,
      { name, specVersion },
    );
  }
  return thing;
}
