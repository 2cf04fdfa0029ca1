import type { JsonObject } from '@localgrad/core';
import type { Catalog } from '../catalog.js';
import type { ExternalModule } from './external-module.js';

/** Expressions to resolve, by kind. */
export interface CatalogRequest {
  /** An expression, or a method's config. */
  readonly method?: string | JsonObject | undefined;
  readonly backbone?: string | undefined;
  readonly dataset?: string | undefined;
  readonly head?: string | undefined;
  readonly optimizer?: string | undefined;
  readonly schedule?: string | undefined;
}

/** A catalog extended by packages and files of a project. */
export interface ProjectCatalog {
  readonly catalog: Catalog;
  /** The packages and files that were imported, by name. */
  readonly modules: readonly ExternalModule[];
}

export interface ProjectResolver {
  /**
   * Imports the packages and files in a request that the catalog does not contain, and returns a catalog extended by them.
   *
   * @throws LocalgradError `unknown-name`, `missing-dependency`, `invalid-option`
   */
  extend(catalog: Catalog, request: CatalogRequest): Promise<ProjectCatalog>;
}

export interface ProjectOptions {
  /** Folder from which names are resolved. Default: the working directory. */
  readonly project?: string | undefined;
}
