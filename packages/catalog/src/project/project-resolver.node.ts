import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseExpression } from '@localgrad/core';
import { unknownThing } from '../errors.js';
import { type Factories, labels, type TableName, type Tables } from '../factories.js';
import { type MethodRequest, requestOf } from '../method-config.js';
import { exportedFactory, noExport } from './contracts.js';
import type { ExternalModule } from './external-module.js';
import { isLayersModel, loadLayersModel } from './layers-model.js';
import { isExternalName, type LoadedModule, loadModule } from './load-module.js';
import type { CatalogRequest, ProjectOptions, ProjectResolver } from './project-catalog.js';

/**
 * Resolves names of npm packages (`acme-localgrad-own`) and files (`./own.mjs`, quoted if they contain spaces or parentheses)
 * from the folder of a project, for all kinds of things. As backbones, models of TensorFlow.js layers (`./model.json`) too.
 */
export function projectResolver({ project = process.cwd() }: ProjectOptions = {}): ProjectResolver {
  return {
    async extend(catalog, request) {
      const found = new Map<string, ExternalModule>();
      let extended = catalog;
      for (const { table, name } of namesOf(request)) {
        if (extended.entry(table, name) !== undefined) continue;
        // The catalog reports methods that are used as decorators, and decorators without a method.
        if (isMethodTable(table) && extended.entry(otherOf(table), name) !== undefined) continue;
        if (!isExternalName(name)) {
          const there = existsSync(join(project, name)) ? `; there is also ./${name}, if you mean that` : '';
          throw unknownThing(
            extended,
            table,
            name,
            `, or a package or file of your project (acme-localgrad-own, ./own.mjs)${there}`,
          );
        }
        if (table === 'backbones' && isLayersModel(name)) {
          const { entry, module } = await loadLayersModel(name, project);
          extended = extended.with({ backbones: { [name]: entry } });
          found.set(name, module);
          continue;
        }
        const module = await loadModule(name, project, labels[table]);
        extended = extended.with(tablesOf(table, name, module));
        found.set(name, module.module);
      }
      const modules = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { catalog: extended, modules };
    },
  };
}

/** A catalog entry for the export of a module. */
function tablesOf(table: TableName, name: string, { exports }: LoadedModule): Tables {
  const entries = (kind: TableName) => {
    const create = exportedFactory(kind, exports);
    return create === undefined ? {} : { [name]: { description: `From '${name}'.`, create } };
  };
  if (!isMethodTable(table)) {
    if (exportedFactory(table, exports) === undefined) throw noExport(table, name, exports);
    return { [table]: entries(table) };
  }
  const own = { methods: entries('methods'), decorators: entries('decorators') };
  if (Object.keys(own.methods).length + Object.keys(own.decorators).length === 0) throw noExport(table, name, exports);
  return own as Pick<Tables, 'methods' | 'decorators'>;
}

const isMethodTable = (table: TableName): table is 'methods' | 'decorators' =>
  table === 'methods' || table === 'decorators';
const otherOf = (table: 'methods' | 'decorators') => (table === 'methods' ? 'decorators' : 'methods');

interface NamedThing {
  readonly table: TableName;
  readonly name: string;
}

const tables = {
  backbone: 'backbones',
  dataset: 'datasets',
  head: 'heads',
  optimizer: 'optimizers',
  schedule: 'schedules',
} as const satisfies Readonly<Record<Exclude<keyof CatalogRequest, 'method'>, keyof Factories>>;

function namesOf({ method, ...others }: CatalogRequest): NamedThing[] {
  const names =
    method === undefined ? [] : methodNames(typeof method === 'string' ? parseExpression(method) : requestOf(method));
  for (const [key, table] of Object.entries(tables)) {
    const text = others[key as keyof typeof tables];
    if (text !== undefined) names.push({ table, name: parseExpression(text, labels[table]).name });
  }
  return names;
}

/** A method, the methods that it wraps, and the heads in their options. */
function methodNames({ name, of, options }: MethodRequest): NamedThing[] {
  const { head } = options;
  return [
    { table: of === undefined ? 'methods' : 'decorators', name },
    ...(of === undefined ? [] : methodNames(of)),
    ...(typeof head === 'string' && isExternalName(head)
      ? [{ table: 'heads' as const, name: parseExpression(head, 'head').name }]
      : []),
  ];
}
