// Packs what a GPU machine without Node and without a network needs to measure localgrad there:
//   node benchmarks/gpu/pack.mjs [FOLDER]      default: .cache/gpu-bundle; writes FOLDER.tar.xz beside it
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const target = resolve(process.argv[2] ?? join(root, '.cache/gpu-bundle'));
const largestArchive = 60 * 2 ** 20;
const run = (program, ...args) => execFileSync(program, args, { cwd: root, encoding: 'utf8' }).trim();

run('npm', 'run', '--silent', 'build');
rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, 'bin'), { recursive: true });

for (const [folder, place] of runtimePackages()) {
  cpSync(folder, join(target, place), {
    recursive: true,
    dereference: true,
    filter: (path) => isNeeded(folder, path),
  });
}
copyFileSync(process.execPath, join(target, 'bin/node'));
tryTo('strip', () => run('strip', join(target, 'bin/node')));
tryTo('Vulkan loader', () => {
  const loader = /=> (\S*libvulkan\.so\.1)/.exec(run('ldconfig', '-p'))?.[1];
  if (loader === undefined) throw new Error('libvulkan.so.1 is not installed here; the GPU machine has to have it');
  mkdirSync(join(target, 'lib'));
  copyFileSync(realpathSync(loader), join(target, 'lib/libvulkan.so.1'));
});
cpSync(join(root, 'benchmarks/peers'), join(target, 'benchmarks/peers'), {
  recursive: true,
  filter: (path) => basename(path) !== '__pycache__',
});
mkdirSync(join(target, 'fixtures'));
for (const name of ['mini', 'micro']) {
  copyFileSync(join(root, `tests/oracles/fixtures/${name}.safetensors`), join(target, `fixtures/${name}.safetensors`));
}
const tables = 'packages/testing/src/kernels';
// The suite itself needs vitest; the table of cases does not.
const cases = readdirSync(join(root, tables)).filter((file) => file !== 'describe-kernels.ts');
mkdirSync(join(target, 'cases'));
for (const [from, to] of [
  ...cases.map((file) => [`${tables}/${file}`, `cases/${file.replace(/ts$/, 'js')}`]),
  ['benchmarks/gpu/numerics.ts', 'numerics.js'],
  ['benchmarks/gpu/tune-kernels.ts', 'tune-kernels.js'],
]) {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const { outputText } = ts.transpileModule(readFileSync(join(root, from), 'utf8'), { compilerOptions: options });
  writeFileSync(join(target, to), outputText.replaceAll(`../../${tables}/`, './cases/'));
}
writeFileSync(join(target, 'package.json'), '{ "type": "module", "private": true }\n');
writeFileSync(join(target, 'COMMIT'), `${run('git', 'rev-parse', '--short=12', 'HEAD')}\n`);
copyFileSync(join(root, 'benchmarks/gpu/run.sh'), join(target, 'run.sh'));

const archive = `${target}.tar.xz`;
rmSync(archive, { force: true });
execFileSync('tar', ['-C', dirname(target), '-cJf', archive, basename(target)], {
  env: { ...process.env, XZ_OPT: '-3 -T0' },
});
const { size } = statSync(archive);
console.log(`${archive}: ${(size / 2 ** 20).toFixed(1)} MiB`);
if (size > largestArchive) {
  console.error(`More than ${largestArchive / 2 ** 20} MiB.`);
  process.exit(1);
}

/** The folders of the command's packages and of all that they need to run, and where each belongs in the bundle. */
function runtimePackages() {
  const places = new Map();
  const queue = ['localgrad', '@tensorflow/tfjs-backend-webgpu', 'webgpu'].map((name) => [name, root]);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [name, from] = next;
    const folder = locate(name, from);
    if (places.has(folder)) continue;
    places.set(folder, placeOf(name, folder, from, places));
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const optional = (peer) => manifest.peerDependenciesMeta?.[peer]?.optional === true;
    const peers = Object.keys(manifest.peerDependencies ?? {}).filter((peer) => !optional(peer));
    for (const dependency of [...Object.keys(manifest.dependencies ?? {}), ...peers]) queue.push([dependency, folder]);
    for (const dependency of Object.keys(manifest.optionalDependencies ?? {})) {
      if (tryLocate(dependency, folder) !== undefined) queue.push([dependency, folder]);
    }
  }
  return places;
}

/** Where npm put it; packages of the repository lie in `packages/`, and belong into `node_modules/`. */
function placeOf(name, folder, from, places) {
  if (!folder.includes(`${sep}node_modules${sep}`)) return join('node_modules', name);
  const inOwner = relative(from, folder);
  return inOwner.startsWith('..') ? relative(root, folder) : join(places.get(from) ?? '', inOwner);
}

function tryLocate(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (folder === dirname(folder)) return undefined;
  }
}

function locate(name, from) {
  const folder = tryLocate(name, from);
  if (folder === undefined)
    throw new Error(`${name}, which ${relative(root, from)} needs, is not installed: run npm ci.`);
  return folder;
}

/** Leaves out what Node never reads: sources, types, maps, other platforms, and TensorFlow.js' builds for browsers. */
function isNeeded(folder, path) {
  const inside = relative(folder, path).split(sep).join('/');
  if (inside === '') return true;
  if (statSync(path).isDirectory()) {
    if (folder.includes('@tensorflow') && /(^|\/)src$/.test(inside)) return false;
    if (/(^|\/)(node_modules|test|tests|docs|examples|\.turbo)$/.test(inside)) return false;
    const isOurs = !folder.includes(`${sep}node_modules${sep}`);
    if (isOurs) return /^(dist|assets)(\/|$)/.test(inside);
    if (folder.endsWith('/webgpu') && inside.startsWith('dist/'))
      return inside.includes(`${process.platform}-${process.arch}`);
    return true;
  }
  if (/\.(map|d\.ts|d\.mts|d\.cts|md|ts)$/.test(inside) && !inside.endsWith('LICENSE.md')) return false;
  if (folder.includes('@tensorflow'))
    return inside === 'package.json' || /\.node\.js$|^wasm-out\/|^dist\/[^/]*\.wasm$/.test(inside);
  return true;
}

function tryTo(what, work) {
  try {
    work();
  } catch (error) {
    console.error(`without ${what}: ${error.message.split('\n')[0]}`);
  }
}
