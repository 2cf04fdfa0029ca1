import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import blankTypes from 'ts-blank-space';
import { descriptions } from './kinds.js';
import { manifestOf } from './manifest.js';
import type { PackageDescription } from './package-description.js';

/** Every file of the new package: its path and its text. */
export function filesOf(description: PackageDescription): Map<string, string> {
  const { name, kind, language } = description;
  const isTypeScript = language === 'typescript';
  const code = (file: string) => {
    const text = template(`${kind}/${file}.ts`).replaceAll('localgrad-template', name);
    return isTypeScript ? text : javaScript(text);
  };
  const extension = isTypeScript ? 'ts' : 'js';
  const shared = (file: string) => fill(template(`project/${file}`), description);
  const files = new Map([
    ['package.json', `${JSON.stringify(manifestOf(description), null, 2)}\n`],
    [`src/index.${extension}`, code('index')],
    [`src/index.test.${extension}`, code('index.test')],
    ['README.md', fill(template(`${kind}/README.md`), description)],
    // npm leaves out of packages what is called .gitignore.
    ['.gitignore', shared('gitignore')],
    ['.changeset/config.json', shared('changeset.json')],
    ['.changeset/first-version.md', shared('first-version.md')],
    ['.github/workflows/ci.yml', isTypeScript ? shared('ci.yml') : withoutStep(shared('ci.yml'), 'npm run build')],
  ]);
  if (isTypeScript) {
    files.set('tsconfig.json', shared('tsconfig.json'));
    files.set('tsconfig.build.json', shared('tsconfig.build.json'));
  }
  return files;
}

function template(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../templates/${path}`, import.meta.url)), 'utf8');
}

function fill(text: string, { name, kind, language }: PackageDescription): string {
  const isTypeScript = language === 'typescript';
  return text
    .replaceAll('{{name}}', name)
    .replaceAll('{{noun}}', descriptions[kind].noun)
    .replaceAll('{{extension}}', isTypeScript ? 'ts' : 'js')
    .replaceAll('{{install}}', isTypeScript ? 'npm install && npm run build' : 'npm install');
}

function withoutStep(workflow: string, command: string): string {
  return workflow
    .split('\n')
    .filter((line) => !line.includes(command))
    .join('\n');
}

/** The code without its types, laid out as if it had never had any. */
function javaScript(typeScript: string): string {
  return blankTypes(typeScript)
    .split('\n')
    .map((line) =>
      line
        .trimEnd()
        .replace(/(\S) {2,}/g, '$1 ')
        .replace(/ ([,;)])/g, '$1'),
    )
    .join('\n')
    .replace(/^\n+/, '')
    .replace(/\n{3,}/g, '\n\n');
}
