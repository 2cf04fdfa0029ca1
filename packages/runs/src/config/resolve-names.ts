import {
  type Catalog,
  type CatalogRequest,
  type ProjectCatalog,
  type ProjectOptions,
  projectResolver,
  standardCatalog,
} from '@localgrad/catalog';
import { imageFolderOf } from './image-folder.js';

/** Where the names in a config are looked up. */
export interface NameOptions extends ProjectOptions {
  /** Default: the standard catalog. */
  readonly catalog?: Catalog | undefined;
}

export const nameOptionNames = ['catalog', 'project'] as const satisfies readonly (keyof NameOptions)[];

/** A catalog with all names of a config, and the packages and files that they refer to. @throws LocalgradError */
export function resolveNames(config: CatalogRequest, options: NameOptions = {}): Promise<ProjectCatalog> {
  const { catalog = standardCatalog, project } = options;
  const { method, backbone, optimizer, schedule } = config;
  const isFolder = config.dataset !== undefined && imageFolderOf(config.dataset, project) !== undefined;
  const dataset = isFolder ? undefined : config.dataset;
  return projectResolver({ project }).extend(catalog, { method, backbone, dataset, optimizer, schedule });
}
