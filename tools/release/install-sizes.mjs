// What installing each package takes on disk: docs/install-sizes.md.
//   node tools/release/install-sizes.mjs [--write]     without --write, says whether the page is up to date; needs a build
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishedFolders, readManifest, root } from './manifests.mjs';

const page = join(root, 'docs/install-sizes.md');
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
const tensorflow = '@tensorflow/tfjs';
/** A page is outdated if a number differs by more than this part and by more than 20 kB. */
const tolerance = 0.1;
const mebi = 2 ** 20;

/** Bytes of each published package: its own, and with everything that npm installs for it except TensorFlow.js. */
export function installSizes() {
  const folders = publishedFolders();
  const own = new Map(folders.map((folder) => [readManifest(folder).name, packedBytes(folder)]));
  const shared = closure(`node_modules/${tensorflow}`);
  const bytesAt = (place) => own.get(place.replace(/^node_modules\//, '')) ?? folderBytes(join(root, place));
  const sum = (places) => [...places].reduce((total, place) => total + bytesAt(place), 0);
  const rows = folders.map((folder) => {
    const { name } = readManifest(folder);
    const needed = [...closure(`node_modules/${name}`)].filter((place) => !shared.has(place));
    return { name, own: own.get(name), total: sum(needed) };
  });
  return { rows, tensorflow: sum(shared) };
}

/** What is wrong with the page; undefined if it is up to date. */
export function outdatedSizes({ rows, tensorflow: bytes } = installSizes()) {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  const found = new Map(
    [...text.matchAll(/^\| `([^`]+)` \| ([\d.]+) \| ([\d.]+) \|$/gm)].map(([, name, ...sizes]) => [name, sizes]),
  );
  const differs = (written, now) =>
    Math.abs(written * 1e6 - now) > 20_000 && Math.abs(written * 1e6 - now) > tolerance * now;
  const wrong = [...rows, { name: tensorflow, own: bytes, total: bytes }].filter(({ name, own, total }) => {
    const [first, second] = found.get(name) ?? [];
    return first === undefined || differs(Number(first), own) || differs(Number(second), total);
  });
  return wrong.length === 0
    ? undefined
    : `docs/install-sizes.md is outdated for ${wrong.map(({ name }) => name).join(', ')} (node tools/release/install-sizes.mjs --write)`;
}

/** Places in node_modules of a package and of what it depends on, peers included, as npm installs them. */
function closure(start) {
  const places = new Set();
  const pending = [start];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (places.has(place)) continue;
    places.add(place);
    const entry = lock[place]?.link === true ? lock[lock[place].resolved] : lock[place];
    if (entry === undefined) throw new Error(`${place} is not in package-lock.json: run npm install.`);
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {}, optionalDependencies = {} } = entry;
    const isWanted = (name) => peerDependenciesMeta[name]?.optional !== true;
    for (const name of [...Object.keys(dependencies), ...Object.keys(peerDependencies).filter(isWanted)]) {
      if (name in optionalDependencies) continue;
      pending.push(placeOf(name, place));
    }
  }
  return places;
}

/** Where Node finds a dependency: beside the package or above it. */
function placeOf(name, from) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (place in lock) return place;
    if (folder === '') throw new Error(`${name}, a dependency of ${from}, is not in package-lock.json.`);
  }
}

function packedBytes(folder) {
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 64 * mebi,
  });
  if (status !== 0) throw new Error(`${folder} cannot be packed:\n${stderr}`);
  return JSON.parse(stdout)[0].unpackedSize;
}

/** Bytes of a package's files, without packages inside it. */
function folderBytes(folder) {
  return readdirSync(folder).reduce((total, name) => {
    if (name === 'node_modules') return total;
    const path = join(folder, name);
    const stat = lstatSync(path);
    return total + (stat.isDirectory() ? folderBytes(path) : stat.size);
  }, 0);
}

function document({ rows, tensorflow: bytes }) {
  const megabytes = (size) => (size / 1e6).toFixed(2);
  const line = ({ name, own, total }) => `| \`${name}\` | ${megabytes(own)} | ${megabytes(total)} |`;
  return `# Install sizes

Megabytes on disk. "With dependencies" is everything that \`npm install\` adds for the package, except TensorFlow.js, which all packages share
as a peer dependency (last row). Bundlers take less: all packages are ES modules without side effects.

| package | itself | with dependencies |
|---|--:|--:|
${[...rows, { name: tensorflow, own: bytes, total: bytes }].map(line).join('\n')}

\`npm run release:dry\` reports when a number is more than 10 % off; \`node tools/release/install-sizes.mjs --write\` measures them again after
\`npm run build\`.
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = installSizes();
  if (process.argv.includes('--write')) writeFileSync(page, document(sizes));
  const problem = outdatedSizes(sizes);
  if (problem !== undefined) console.error(problem);
  process.exitCode = problem === undefined ? 0 : 1;
}
