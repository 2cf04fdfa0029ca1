// Writes the API reference to docs/api from the docstrings of the packages below. Fails if a public name has none, or links
// to a name that does not exist.
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const out = join(root, 'docs/api');
const modules = new Map([
  ...['core', 'engine', 'train'].map((name) => [`@localgrad/${name}`, `packages/${name}/src/index.ts`]),
  ...subpathsOf('nn').map((name) => [`@localgrad/nn/${name}`, `packages/nn/src/${name}/index.ts`]),
]);

const app = await Application.bootstrapWithPlugins({
  entryPoints: [...modules.values()].map((path) => join(root, path)),
  tsconfig: join(root, 'tsconfig.json'),
  // `npm run typecheck` checks the same program.
  skipErrorChecking: true,
  plugin: ['typedoc-plugin-markdown', 'typedoc-vitepress-theme'],
  out,
  docsRoot: join(root, 'docs'),
  readme: 'none',
  name: 'API reference',
  entryFileName: 'README',
  excludeExternals: true,
  excludeInternal: true,
  disableSources: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  outputFileStrategy: 'modules',
  useCodeBlocks: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  validation: { notDocumented: true, notExported: false, invalidLink: true },
  packagesRequiringDocumentation: ['@localgrad/core', '@localgrad/nn', '@localgrad/engine', '@localgrad/train'],
  requiredToBeDocumented: ['Variable', 'Function', 'Class', 'Interface', 'Property', 'Method', 'Accessor', 'TypeAlias'],
  // Members of types within a declaration, whose own comment describes them.
  intentionallyNotDocumented: [
    ...['lastBlocks', 'sizes'].map((name) => `@localgrad/core.PartitionSpec.__type.${name}`),
    ...['op', 'module', 'keep', 'repeat', 'readsInput', 'from', 'weights', 'sendTo'].map(
      (name) => `@localgrad/engine.Instruction.__type.${name}`,
    ),
    ...['unitsOfWork', 'predictedPeakBytes'].map(
      (name) => `@localgrad/engine.PlanDescription.totals.__type.reference.__type.${name}`,
    ),
    ...['output', 'pass'].map((name) => `@localgrad/engine.ScheduleDomain.forward.__type.${name}`),
    '@localgrad/nn/random.Random.shuffle.T.__type.length',
    ...['id', 'sum', 'count'].map((name) => `@localgrad/train.LossLogState.epoch.__type.${name}`),
  ],
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
});
const project = await app.convert();
if (project === undefined) process.exit(1);
const nameOf = new Map([...modules].map(([name, path]) => [moduleName(path), name]));
for (const module of project.children ?? []) module.name = nameOf.get(module.name) ?? module.name;
app.validate(project);
if (!process.argv.includes('--check')) await app.generateOutputs(project);
process.exit(app.logger.hasErrors() || app.logger.validationWarningCount > 0 ? 1 : 0);

/** The name that TypeDoc derives from the path of an entry point. */
function moduleName(path) {
  return path.replace(/^packages\//, '').replace(/\/index\.ts$/, '');
}

function subpathsOf(name) {
  return readdirSync(join(root, 'packages', name, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['fixtures', 'testing'].includes(entry.name))
    .map((entry) => entry.name);
}
