// Builds the command line, without printing to standard output, and runs it. npm run quickstart -- --json localgrad
// quickstart --json npm run localgrad -- doctor any other command
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`localgrad: Node.js 20.19 or later is required; this is ${process.versions.node}.`);
  process.exit(1);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const cli = `${root}apps/benchmark/dist/cli.js`;
const given = process.argv.slice(2);
const command = given[0] === '--pass' ? given.slice(1) : ['quickstart', ...given];

if (!existsSync(cli)) console.error('Building localgrad (about 20 seconds, once) …');
const build = spawnSync(
  process.execPath,
  [`${root}tools/turbo.mjs`, 'run', 'build:js', '--filter=localgrad...', '--output-logs=errors-only'],
  { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 },
);
if (build.status !== 0) {
  console.error(`${build.stdout ?? ''}${build.stderr ?? ''}`);
  console.error('The build failed. If node_modules is missing or outdated, run `npm ci` first.');
  process.exit(1);
}
// npm runs scripts in the repository's root, but reports belong in the user's working directory.
const run = spawnSync(process.execPath, [cli, ...command], { cwd: process.env.INIT_CWD ?? root, stdio: 'inherit' });
process.exit(run.status ?? 1);
