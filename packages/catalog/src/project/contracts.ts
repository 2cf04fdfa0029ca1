import { LocalgradError } from '@localgrad/core';
import { contracts } from '../contracts.js';
import { type Factories, labels, type TableName } from '../factories.js';

/** The export that a package or file needs for each kind of thing; a default export is accepted too, except for decorators. */
const exportNames: Readonly<Record<TableName, string>> = {
  methods: 'method',
  decorators: 'decorator',
  backbones: 'backbone',
  datasets: 'dataset',
  heads: 'head',
  optimizers: 'optimizer',
  schedules: 'schedule',
};

type Exports = Readonly<Record<string, unknown>>;

/** The factory that a module exports for a kind of thing; undefined if it exports none. */
export function exportedFactory<Name extends TableName>(table: Name, exports: Exports): Factories[Name] | undefined {
  const named = exports[exportNames[table]];
  const found = typeof named === 'function' || table === 'decorators' ? named : exports.default;
  return typeof found === 'function' ? (found as Factories[Name]) : undefined;
}

/** An error for a module that does not export this kind of thing. */
export function noExport(table: TableName, name: string, exports: Exports): LocalgradError {
  const own = exportNames[table];
  const { signature } = contracts[table];
  const article = /^[aeiou]/.test(labels[table]) ? 'an' : 'a';
  const wrong =
    exports[own] !== undefined ? own : table !== 'decorators' && exports.default !== undefined ? 'default' : undefined;
  if (wrong !== undefined) {
    return new LocalgradError(
      'invalid-option',
      `The export '${wrong}' of '${name}' is not a function. To be used as ${article} ${labels[table]} it must be a factory, ${signature}.`,
      { name, export: wrong },
    );
  }
  const found = Object.keys(exports).join(', ') || 'nothing';
  const orDefault = table === 'decorators' ? '' : ' or a default export';
  return new LocalgradError(
    'invalid-option',
    `'${name}' exports ${found}. To be used as ${article} ${labels[table]} it needs the export '${own}'${orDefault}: ${signature}.`,
    { name, exports: Object.keys(exports) },
  );
}
