import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPackage, type Kind, kinds, type Language, languages } from './index.js';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'create-localgrad-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const read = (...path: string[]) => readFileSync(join(place, ...path), 'utf8');

describe('createPackage', () => {
  it.each(kinds.flatMap((kind) => languages.map((language) => [kind, language] as [Kind, Language])))(
    'writes a %s in %s whose manifest names everything that its code imports',
    (kind, language) => {
      const folder = join(place, 'localgrad-own');
      const { files } = createPackage({ folder, kind, language });
      const extension = language === 'typescript' ? 'ts' : 'js';
      const manifest = JSON.parse(read('localgrad-own', 'package.json'));
      expect(manifest.name).toBe('localgrad-own');
      const importsOf = (file: string) =>
        [...read('localgrad-own', 'src', file).matchAll(/from '((?:@[^/']+\/)?[^./'][^/']*)/g)].map(([, name]) => name);
      for (const name of importsOf(`index.${extension}`)) expect(manifest.peerDependencies).toHaveProperty([`${name}`]);
      for (const name of importsOf(`index.test.${extension}`)) {
        expect(manifest.devDependencies).toHaveProperty([`${name}`]);
      }
      for (const file of files) {
        const text = read('localgrad-own', file);
        expect(text, file).not.toMatch(/localgrad-template|\{\{/);
        expect(text.endsWith('\n'), file).toBe(true);
      }
    },
  );

  it.each(kinds)('writes JavaScript for a %s without types or gaps', (kind) => {
    createPackage({ folder: join(place, 'own'), kind, language: 'javascript' });
    for (const file of ['index.js', 'index.test.js']) {
      const text = read('own', 'src', file);
      expect(text).not.toMatch(/interface |import type|\btype [A-Z]| +$|\S {2,}|\n{3,}/m);
      expect(text).not.toMatch(/ as [A-Z]|: (number|string|tf\.)/);
    }
  });

  it('uses the given package name, and shows its folder in the command to run', () => {
    const created = createPackage({ folder: join(place, 'a folder'), name: '@acme/localgrad-own' });
    expect(created.name).toBe('@acme/localgrad-own');
    expect(created.use).toContain(`\\"${place}/a folder/dist/index.js\\"`);
    expect(read('a folder', 'src', 'index.ts')).toContain("'@acme/localgrad-own'");
  });

  it('takes the scope of the package from the folder', () => {
    const created = createPackage({ folder: join(place, '@acme', 'localgrad-own') });
    expect(created.name).toBe('@acme/localgrad-own');
    expect(created.use).toContain(`mlaan(${place}/@acme/localgrad-own/dist/index.js)`);
  });

  it('writes nothing into a folder that contains something', () => {
    writeFileSync(join(place, 'notes.txt'), 'mine');
    expect(() => createPackage({ folder: place, name: 'own' })).toThrow(/not empty/);
    expect(readdirSync(place)).toEqual(['notes.txt']);
    expect(() => createPackage({ folder: join(place, 'notes.txt'), name: 'own' })).toThrow(/is a file/);
    expect(read('notes.txt')).toBe('mine');
  });

  it('accepts a folder with nothing but a repository', () => {
    mkdirSync(join(place, 'own', '.git'), { recursive: true });
    createPackage({ folder: join(place, 'own') });
    expect(existsSync(join(place, 'own', 'package.json'))).toBe(true);
  });

  it.each([
    ['a name that npm refuses', { folder: 'Own Method' }, /'Own Method' is not a package name/],
    ['no name', { folder: '' }, /has no name/],
    ['an unknown kind', { folder: 'own', kind: 'optimizer' as Kind }, /Unknown kind 'optimizer'. Allowed: method/],
    ['an unknown language', { folder: 'own', language: 'coffee' as Language }, /Allowed: typescript, javascript/],
  ])('rejects %s and writes nothing', (_, request, message) => {
    const folder = request.folder === '' ? '' : join(place, request.folder);
    expect(() => createPackage({ ...request, folder })).toThrow(message);
    expect(readdirSync(place)).toEqual([]);
  });
});
