import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { isPage } from '../../docs/.vitepress/pages.js';

const root = resolve(import.meta.dirname, '../..');
const skipped = ['node_modules', 'api', 'dist', 'templates', 'results'];

function filesBelow(folder: string, accepts: (path: string) => boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : filesBelow(path, accepts);
    return accepts(path) ? [path] : [];
  });
}

/** Public names of a module, re-exports included. */
function exportsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  return source.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause, moduleSpecifier } = statement;
      if (exportClause !== undefined && ts.isNamedExports(exportClause)) {
        return exportClause.elements.map(({ name }) => name.text);
      }
      const specifier =
        moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier) ? moduleSpecifier.text : '';
      return exportsOf(resolve(dirname(file), specifier.replace(/\.js$/, '.ts')));
    }
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
    if (!isExported) return [];
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText(source));
    }
    const { name } = statement as ts.DeclarationStatement;
    return name === undefined ? [] : [name.text];
  });
}

/** Public names of each package by its name; those of all subpaths. */
const publicNames = new Map(
  filesBelow('packages', (path) => basename(path) === 'package.json').map((path) => {
    const source = join(root, dirname(path), 'src');
    const { name } = JSON.parse(readFileSync(join(root, path), 'utf8')) as { name: string };
    const folders = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const entries = [source, ...folders.map((entry) => join(source, entry.name))].map((folder) =>
      join(folder, 'index.ts'),
    );
    return [name, new Set(entries.filter((file) => existsSync(file)).flatMap(exportsOf))] as const;
  }),
);

/** `name` of `@localgrad/package`, with or without a link. */
const naming = /`(\w+)[^`]*` of \[?`?(@localgrad\/[\w-]+)/g;
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...['docs', 'packages', 'apps', 'examples'].flatMap((folder) => filesBelow(folder, isPage)),
];
const named = pages.flatMap((page) => {
  const prose = readFileSync(join(root, page), 'utf8')
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .replaceAll(/\s+/g, ' ');
  return [...prose.matchAll(naming)].map(([, name = '', owner = '']) => [page, name, owner] as const);
});
/** First cells of the tables of functions in READMEs. */
const tabled = pages.flatMap((page) => {
  const manifest = join(root, dirname(page), 'package.json');
  if (basename(page) !== 'README.md' || !existsSync(manifest)) return [];
  const { name: owner } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string };
  if (!publicNames.has(owner)) return [];
  const tables = readFileSync(join(root, page), 'utf8').matchAll(
    /^\| (?:export|function|tracker|suite) \|.*\n\|[-| ]+\n((?:\|.*\n)+)/gm,
  );
  return [...tables].flatMap(([, rows = '']) =>
    [...rows.matchAll(/^\|([^|]+)\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)/g)].map(([, name = '']) => [page, name, owner] as const),
    ),
  );
});

it.each([...named, ...tabled])('%s: %s is a public name of %s', (_, name, owner) => {
  expect([...(publicNames.get(owner) ?? [])]).toContain(name);
});

it.each([...publicNames.keys(), 'localgrad', 'create-localgrad-method'])(
  'the README of %s begins with its name and states the license',
  (name) => {
    const manifests = ['packages', 'apps'].flatMap((folder) =>
      filesBelow(folder, (path) => basename(path) === 'package.json'),
    );
    const owner = manifests.find((path) => JSON.parse(readFileSync(join(root, path), 'utf8')).name === name) ?? '';
    const text = readFileSync(join(root, dirname(owner), 'README.md'), 'utf8');
    expect(text.split('\n')[0]).toBe(`# ${name}`);
    expect(text).toContain('Apache-2.0');
  },
);
