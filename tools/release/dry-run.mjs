// Shows what `npm run release` would publish, and checks that it can be: npm run release:dry
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { outdatedSizes } from './install-sizes.mjs';
import { placeholders, projectFields, publishedFolders, readManifest, root } from './manifests.mjs';

const problems = [];
const folders = publishedFolders();
const next = nextVersions();
const rows = folders.map((folder) => {
  const manifest = readManifest(folder);
  checkManifest(folder, manifest);
  const { files, size, unpackedSize } = pack(folder);
  checkFiles(folder, manifest, files);
  return { name: manifest.name, version: next.get(manifest.name) ?? manifest.version, files, size, unpackedSize };
});
const outdated = outdatedSizes();
if (outdated !== undefined) problems.push(outdated);
const lint = run('npm', ['run', '--silent', 'lint:package']);
if (lint.status !== 0) problems.push(`publint or attw:\n${lint.stdout}${lint.stderr}`);

const width = Math.max(...rows.map(({ name, version }) => name.length + version.length + 1));
for (const { name, version, files, size, unpackedSize } of rows) {
  const what = `${name}@${version}`.padEnd(width + 2);
  console.log(
    `${what}${kibibytes(size)} packed ${kibibytes(unpackedSize)} unpacked ${String(files.length).padStart(4)} files`,
  );
}
for (const notice of placeholders()) console.log(`\nTo do before the first release: ${notice}`);
for (const problem of problems) console.error(`\n${problem}`);
console.log(
  problems.length === 0
    ? `\n${rows.length} packages can be published.`
    : `\n${problems.length === 1 ? 'One problem' : `${problems.length} problems`}; nothing can be published.`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

/** The versions that the pending changesets lead to, by package. */
function nextVersions() {
  const place = mkdtempSync(join(tmpdir(), 'localgrad-release-'));
  try {
    // The path must be relative.
    const file = join(place, 'status.json');
    const result = run('npx', ['changeset', 'status', '--output', relative(root, file)]);
    if (result.status !== 0) {
      problems.push(`changeset status:\n${result.stdout}${result.stderr}`);
      return new Map();
    }
    const { releases } = JSON.parse(readFileSync(file, 'utf8'));
    const early = releases.filter(({ oldVersion, newVersion }) => /^0\./.test(oldVersion) && !/^0\./.test(newVersion));
    if (early.length > 0) {
      problems.push(`${early.length} packages would become 1.0.0, e.g. ${early[0].name}: see .changeset/README.md`);
    }
    return new Map(releases.map(({ name, newVersion }) => [name, newVersion]));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function checkManifest(folder, manifest) {
  const fields = projectFields(folder, manifest);
  const wrong = Object.keys(fields).filter((key) => JSON.stringify(manifest[key]) !== JSON.stringify(fields[key]));
  if (wrong.length > 0) problems.push(`${manifest.name}: ${wrong.join(', ')} differ (npm run release:manifests)`);
  if (manifest.publishConfig?.access !== 'public' || manifest.publishConfig?.provenance !== true) {
    problems.push(`${manifest.name}: publishConfig is not { access: 'public', provenance: true }`);
  }
}

function checkFiles(folder, manifest, files) {
  for (const file of ['README.md', 'LICENSE', 'package.json']) {
    if (!files.includes(file)) problems.push(`${manifest.name}: its tarball lacks ${file}`);
  }
  const strangers = files.filter((file) => /\.map$|\.tsbuildinfo$|^src\/.*\.test\./.test(file));
  if (strangers.length > 0) problems.push(`${manifest.name}: its tarball contains ${strangers.join(', ')}`);
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const [, target] of readme.matchAll(/!\[[^\]]*\]\((?!https:)([^)]+)\)/g)) {
    problems.push(`${manifest.name}: npm shows no image with a relative address (${target})`);
  }
}

function pack(folder) {
  const { status, stdout, stderr } = run('npm', ['pack', '--dry-run', '--json'], folder);
  if (status !== 0) {
    problems.push(`${relative(root, folder)} cannot be packed:\n${stderr}`);
    return { files: [], size: 0, unpackedSize: 0 };
  }
  const [{ files, size, unpackedSize }] = JSON.parse(stdout);
  return { files: files.map(({ path }) => path), size, unpackedSize };
}

function run(command, args, cwd = root) {
  return spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
}

function kibibytes(bytes) {
  return `${(bytes / 1024).toFixed(0).padStart(6)} KiB`;
}
