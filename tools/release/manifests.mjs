// What the manifests of all published packages say of the project, derived from the root's package.json.
//   node tools/release/manifests.mjs [--write]     without --write, says which fields differ
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const common = [
  'local-learning',
  'greedy-learning',
  'neural-networks',
  'deep-learning',
  'tensorflow',
  'tensorflow.js',
  'tfjs',
];

/** The folders of the packages that are published. */
export function publishedFolders() {
  return ['packages', 'packages/methods', 'packages/decorators', 'apps']
    .map((parent) => join(root, parent))
    .filter(existsSync)
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')) && readManifest(folder).private !== true);
}

export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

/** The fields that npm shows and that provenance requires. */
export function projectFields(folder, manifest) {
  const { repository, author } = readManifest(root);
  const place = relative(root, folder).split(sep).join('/');
  const page = repository.replace(/^git\+/, '').replace(/\.git$/, '');
  return {
    author,
    homepage: `${page}/tree/main/${place}#readme`,
    repository: { type: 'git', url: repository, directory: place },
    bugs: `${page}/issues`,
    keywords: [...new Set([...common, manifest.name.split('/').at(-1), ...(manifest.keywords ?? [])])],
  };
}

/** Fields of the root's manifest that only a maintainer can fill in. */
export function placeholders() {
  const { repository } = readManifest(root);
  return /\/OWNER\//.test(repository)
    ? [
        `"repository" in package.json is still a placeholder (${repository}): set it, then run npm run release:manifests.`,
      ]
    : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const isWriting = process.argv.includes('--write');
  let differing = 0;
  for (const folder of publishedFolders()) {
    const manifest = readManifest(folder);
    const fields = projectFields(folder, manifest);
    const wrong = Object.keys(fields).filter((key) => JSON.stringify(manifest[key]) !== JSON.stringify(fields[key]));
    if (wrong.length === 0) continue;
    if (isWriting) {
      writeFileSync(join(folder, 'package.json'), `${JSON.stringify(withFields(manifest, fields), null, 2)}\n`);
      continue;
    }
    differing++;
    console.error(`${relative(root, join(folder, 'package.json'))}: ${wrong.join(', ')} (npm run release:manifests)`);
  }
  process.exitCode = differing === 0 ? 0 : 1;
}

/** Keeps the order of existing fields; new ones follow the license. */
function withFields(manifest, fields) {
  const entries = Object.entries(manifest).filter(([key]) => !(key in fields));
  const after = entries.findIndex(([key]) => key === 'license') + 1;
  return Object.fromEntries([...entries.slice(0, after), ...Object.entries(fields), ...entries.slice(after)]);
}
