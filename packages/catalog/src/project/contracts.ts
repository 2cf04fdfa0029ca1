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
  const found = Object.keys(exports).join(', ') || 'nothing';
  const orDefault = table === 'decorators' ? '' : ' or a default export';
  const article = /^[aeiou]/.test(labels[table]) ? 'an' : 'a';
  const kind = typeof exports[own] === 'undefined' ? '' : ` that is a function, not ${typeof exports[own]}`;
  return new LocalgradError(
    'invalid-option',
    `'${name}' exports ${found}. To be used as ${article} ${labels[table]} it needs the export '${own}'${orDefault}${kind}: ${contracts[table].signature}.`,
    { name, exports: Object.keys(exports) },
  );
}
