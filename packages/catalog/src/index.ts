export { type Catalog, createCatalog, type MoreOptions } from './catalog.js';
export type {
  DecoratorFactory,
  Entry,
  Factories,
  Factory,
  FactoryContext,
  Table,
  TableName,
  Tables,
} from './factories.js';
export type { ExternalModule } from './project/external-module.js';
export type { CatalogRequest, ProjectCatalog, ProjectOptions, ProjectResolver } from './project/project-catalog.js';
export { projectResolver } from './project/project-resolver.node.js';
export { defaultMethod, endToEndMethod, standardCatalog } from './standard-catalog.js';
