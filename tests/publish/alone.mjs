// Installs single packages, to see what they bring with them.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, packages, ran, readManifest, run, work } from './harness.mjs';

/**
 * Installs one package in an empty project, prints the size, and checks that no chart, PDF or command-line library comes
 * with it. TensorFlow.js, a peer, brings its own command-line libraries.
 */
export function measureAlone(name) {
  const folder = join(work, name.replace('/', '-'));
  mkdirSync(folder);
  const manifest = { name: 'alone', version: '1.0.0', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const needed = localgradPackagesOf(name).map((one) => packages.find((entry) => entry.name === one)?.tarball);
  if (needed.includes(undefined)) return check(`the packages that ${name} needs can be packed`, false);
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  const result = run('npm', ['install', ...options, ...needed], folder);
  check(`${name} can be installed alone`, result.status === 0, ran(result));
  if (result.status !== 0) return;
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')).packages;
  const installed = Object.keys(lock);
  const own = installedWith(lock, localgradPackagesOf(name));
  const heavy = new Set(
    ['@localgrad/report', 'localgrad'].flatMap((one) => Object.keys(manifestOf(one).dependencies ?? {})),
  );
  const unwanted = [...own].map(nameAt).filter((one) => heavy.has(one) && !/^@(localgrad|tensorflow)\//.test(one));
  check(`${name} brings no chart, PDF or command-line library`, unwanted.length === 0, unwanted.join('\n'));
  const sizeOf = (paths) => paths.reduce((sum, path) => sum + bytesIn(join(folder, path)), 0) / 2 ** 20;
  const isTensorflow = (path) => nameAt(path).startsWith('@tensorflow/');
  const without = [...own].filter((path) => !isTensorflow(path));
  console.log(
    `${name} alone: ${without.length} packages, ${sizeOf(without).toFixed(2)} MiB; ` +
      `with TensorFlow.js and its dependencies: ${installed.length} packages, ${sizeOf(installed).toFixed(1)} MiB.`,
  );
}

function manifestOf(name) {
  return readManifest(packages.find((entry) => entry.name === name).folder);
}

/** A package and all packages of localgrad that it needs, directly or not. */
function localgradPackagesOf(name) {
  const found = new Set([name]);
  for (const one of found) {
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifestOf(one);
    const peers = Object.keys(peerDependencies).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
    for (const other of [...Object.keys(dependencies), ...peers]) if (other.startsWith('@localgrad/')) found.add(other);
  }
  return [...found];
}

/** Paths of installed packages that are reached from some of them, without those that only TensorFlow.js needs. */
function installedWith(lock, names) {
  const found = new Set(names.map((name) => `node_modules/${name}`));
  for (const path of found) {
    if (nameAt(path).startsWith('@tensorflow/')) continue;
    const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = lock[path] ?? {};
    for (const name of Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })) {
      const target = locate(lock, path, name);
      if (target !== undefined) found.add(target);
    }
  }
  return found;
}

/** The copy of a package that another one uses: the nearest `node_modules` upwards. */
function locate(lock, from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (lock[path] !== undefined) return path;
    if (base === '') return undefined;
  }
}

function nameAt(path) {
  return path.split('node_modules/').at(-1);
}

/** Bytes of the files of a package, without nested packages. */
function bytesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + bytesIn(path);
    return entry.isFile() ? sum + statSync(path).size : sum;
  }, 0);
}
