// Folders, checks and commands that all parts of the test share.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '../..');
export const work = mkdtempSync(join(tmpdir(), 'localgrad-publish-'));
export const tarballs = join(work, 'tarballs');
export const project = join(work, 'project');
mkdirSync(tarballs);
mkdirSync(project);

let count = 0;
export const passed = () => count;
export const failures = [];
export function check(name, isGood, detail = '') {
  if (isGood) count++;
  else failures.push(name);
  if (!isGood) console.error(`✗ ${name}${detail ? `\n${shortened(String(detail))}` : ''}`);
}

/** Indents the text and truncates long lines of minified sources. */
function shortened(text) {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}

const quiet = { ...process.env, NO_UPDATE_NOTIFIER: '1', NO_COLOR: '1', FORCE_COLOR: '0' };
// Removes the environment variables that npm sets for its scripts.
for (const key of Object.keys(quiet)) if (/^npm_(config|package|lifecycle|command)/.test(key)) delete quiet[key];
// Kept: registry and cache settings.
for (const key of ['npm_config_registry', 'npm_config_cache', 'npm_config_userconfig', 'npm_config_globalconfig']) {
  if (process.env[key] !== undefined) quiet[key] = process.env[key];
}
export function run(command, args, cwd = project) {
  const result = spawnSync(command, args, { cwd, env: quiet, encoding: 'utf8', maxBuffer: 1 << 26 });
  return { status: result.status, stdout: result.stdout ?? '', stderr: result.stderr ?? String(result.error ?? '') };
}
export const ran = ({ status, stdout, stderr }) =>
  `exit status ${status}\n${stdout.slice(-3000)}\n${stderr.slice(-3000)}`;
export const bin = (name, base = root) => join(base, 'node_modules/.bin', name);

export const packages = publicPackages();

function publicPackages() {
  const parents = ['packages', 'packages/methods', 'packages/decorators', 'apps'].map((name) => join(root, name));
  return parents.flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true }).flatMap((entry) => {
      const folder = join(parent, entry.name);
      try {
        const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
        return manifest.private ? [] : [{ folder, name: manifest.name, version: manifest.version }];
      } catch {
        return [];
      }
    }),
  );
}

export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
