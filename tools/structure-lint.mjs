// Checks the structure of the repository: imports point downward, packages are complete, and they use only the public API
// of other packages.
//   node tools/structure-lint.mjs
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const maximumLines = 300;

/** The localgrad packages that a package's sources may import. Tests may also import anything that package.json declares. */
const direction = {
  core: [],
  kernels: ['core'],
  'wasm-kernels': ['core', 'kernels'],
  'webgpu-kernels': ['core', 'kernels'],
  'tensorflow-kernels': ['core', 'kernels'],
  nn: ['core', 'kernels'],
  engine: ['core', 'kernels', 'nn'],
  backends: ['core', 'kernels', 'wasm-kernels', 'webgpu-kernels', 'tensorflow-kernels'],
  backbones: ['core', 'nn'],
  layers: ['core', 'kernels', 'nn'],
  data: ['core', 'nn'],
  'image-data': ['core', 'nn', 'data'],
  train: ['core', 'kernels', 'nn', 'engine', 'data'],
  asynchronous: ['core', 'nn', 'engine'],
  pipeline: ['core', 'kernels', 'nn', 'engine', 'backends', 'train', 'asynchronous'],
  statistics: [],
  'pipeline-simulator': [],
  trackers: ['core', 'train'],
  catalog: [
    'core',
    'nn',
    'backbones',
    'layers',
    'data',
    'backprop',
    'greedy',
    'dgl',
    'infopro',
    'auglocal',
    'hpff',
    'predsim',
    'mono-forward',
    'dni',
    'mlm',
    'lam',
    'mlaan',
    'lean-mlaan',
    'man',
    'pff',
    'sequential',
    'deep-supervision',
  ],
  'setup-tensorflow': ['core', 'backends'],
  runs: [
    'core',
    'kernels',
    'nn',
    'engine',
    'backends',
    'backbones',
    'layers',
    'data',
    'image-data',
    'train',
    'pipeline',
    'pipeline-simulator',
    'asynchronous',
    'catalog',
    'trackers',
  ],
  experiments: ['core', 'nn', 'engine', 'backends', 'backbones', 'data', 'train', 'catalog', 'trackers', 'runs'],
  report: ['core', 'engine', 'train', 'statistics', 'trackers', 'runs', 'experiments'],
  verify: ['core', 'kernels', 'nn', 'engine', 'backends', 'backbones', 'data', 'train', 'catalog', 'predsim'],
  bench: [
    'core',
    'kernels',
    'nn',
    'engine',
    'backends',
    'backbones',
    'data',
    'train',
    'catalog',
    'runs',
    'pipeline',
    'pipeline-simulator',
    'report',
    'wasm-kernels',
  ],
  testing: ['core', 'kernels', 'nn', 'engine', 'backbones', 'data'],
  'methods/*': ['core', 'nn'],
  // A configuration of other methods.
  'methods/hpff': ['core', 'nn', 'dgl', 'infopro', 'mlm'],
  'decorators/*': ['core', 'nn', 'mlm', 'lam'],
};
const required = ['README.md', 'LICENSE', 'tsconfig.json', 'tsup.config.ts'];
const ourName = /^(@localgrad\/[^/]+|localgrad)(\/.+)?$/;

/** The subpaths that each package exports, by its name. */
const subpathsOf = new Map(
  packageFolders().map((folder) => {
    const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return [name, Object.keys(exports ?? {})];
  }),
);

const problems = [];
const report = (path, text) => problems.push(`${relative(root, path)}: ${text}`);

for (const folder of packageFolders()) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = manifest.private === true ? ['README.md'] : required;
  for (const file of files) if (!existsSync(join(folder, file))) report(join(folder, file), 'is missing');
  if (manifest.private !== true) checkManifest(folder, manifest);
  for (const file of sourceFiles(join(folder, 'src'))) checkSource(folder, manifest, file);
}

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'The structure is correct.' : `${problems.length} structure problems.`);
process.exit(problems.length === 0 ? 0 : 1);

function packageFolders() {
  const parents = ['packages', 'packages/methods', 'packages/decorators', 'apps'].map((name) => join(root, name));
  return parents.filter(existsSync).flatMap((parent) =>
    readdirSync(parent)
      .map((name) => join(parent, name))
      .filter((folder) => existsSync(join(folder, 'package.json'))),
  );
}

function sourceFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => /\.tsx?$/.test(file) && !file.includes(`${sep}generated${sep}`));
}

function checkManifest(folder, manifest) {
  const path = join(folder, 'package.json');
  const isApp = relative(root, folder).startsWith('apps');
  const ownName = folder.split(sep).at(-1);
  const expectedName = !isApp ? `@localgrad/${ownName}` : ownName === 'benchmark' ? 'localgrad' : ownName;
  if (manifest.name !== expectedName) report(path, `name is '${manifest.name}' instead of '${expectedName}'`);
  if (manifest.type !== 'module') report(path, "type is not 'module'");
  if (manifest.license !== 'Apache-2.0') report(path, "license is not 'Apache-2.0'");
  if (!manifest.description) report(path, 'has no description');
  if (manifest.sideEffects === undefined) report(path, 'does not declare sideEffects');
  if (manifest.engines?.node !== '>=20.19') report(path, "engines.node is not '>=20.19'");
  const { './package.json': _, ...entries } = manifest.exports ?? {};
  if (Object.keys(entries).length === 0) report(path, 'exports nothing');
  for (const [subpath, target] of Object.entries(entries)) {
    const conditions = Object.keys(target).join();
    if (!['types,default', 'types,browser,default'].includes(conditions))
      report(path, `exports['${subpath}'] is not { types, default } or { types, browser, default }`);
    const source = join('src', subpath, 'index.ts');
    if (!existsSync(join(folder, source))) report(path, `exports['${subpath}'] has no ${source}`);
  }
  for (const name of ['dist', '!dist/**/*.map', 'README.md', 'LICENSE']) {
    if (!manifest.files?.includes(name)) report(path, `files lacks '${name}'`);
  }
  for (const group of ['dependencies', 'peerDependencies', 'devDependencies']) {
    for (const [name, range] of Object.entries(manifest[group] ?? {})) {
      if (/^(file|link|workspace):|^\*$/.test(range))
        report(path, `${group}['${name}'] is '${range}', not a real range`);
    }
  }
  for (const name of Object.keys(manifest.peerDependencies ?? {})) {
    if (manifest.peerDependenciesMeta?.[name]?.optional === true) continue;
    // Otherwise turbo would not build the peer first.
    if (!manifest.devDependencies?.[name]) report(path, `peer '${name}' is missing in devDependencies`);
  }
}

function allowedIn(folder) {
  const place = relative(join(root, 'packages'), folder);
  return direction[place] ?? direction[`${dirname(place)}/*`];
}

function checkSource(folder, manifest, file) {
  const text = readFileSync(file, 'utf8');
  const isTest = /\.(test|test-d|fixture)\.tsx?$/.test(file) || relative(folder, file).split(sep).includes('testing');
  const lines = text.split('\n').length - 1;
  if (!isTest && lines > maximumLines) report(file, `has ${lines} lines, more than ${maximumLines}`);
  if (!isTest && /\bmkdir(?:Sync)?\([^;]*\brecursive:/.test(text))
    report(file, "creates folders with Node's recursive mkdir, which may never return; use @localgrad/core/folders");
  const { dependencies, peerDependencies, devDependencies } = manifest;
  const published = { ...dependencies, ...peerDependencies };
  const declared = isTest ? { ...published, ...devDependencies } : published;
  const allowed = allowedIn(folder);
  for (const { fileName: specifier } of ts.preProcessFile(text, true, true).importedFiles) {
    if (specifier.startsWith('.')) {
      const target = resolve(dirname(file), specifier);
      if (!target.startsWith(folder + sep)) report(file, `'${specifier}' reaches into another package`);
      continue;
    }
    const [, name, inside] = ourName.exec(specifier) ?? [];
    if (name === undefined) continue;
    if (name === manifest.name) {
      if (!isTest) report(file, `'${specifier}' imports its own package by name; use a relative path`);
      continue;
    }
    const subpaths = subpathsOf.get(name) ?? ['.'];
    if (!subpaths.includes(`.${inside ?? ''}`))
      report(file, `'${specifier}' is not exported; its package exports ${subpaths.join(', ')}`);
    if (!declared[name]) report(file, `'${name}' is not declared in package.json`);
    if (isTest || allowed === undefined) continue;
    if (!allowed.includes(name.replace('@localgrad/', ''))) {
      report(file, `'${name}' must not be imported here; allowed: ${allowed.join(', ') || 'no localgrad package'}`);
    }
  }
}
