import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@localgrad/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPackageName, loadMethodPackage } from './method-package.js';
import { createMethod, methodFromConfig } from './methods.js';

describe('createMethod', () => {
  it.each<[string, string, JsonObject]>([
    ['dgl(head: 1c2f)', 'dgl', { method: 'dgl', head: '1c2f' }],
    ['infopro(ixx1: 5)', 'infopro', { method: 'infopro', ixx1: 5 }],
    ['mlm(greedy, window: 3)', 'mlm(greedy)', { decorator: 'mlm', of: { method: 'greedy' }, window: 3 }],
    [
      'lam(mlm(greedy), momentum: 0.9)',
      'lam(mlm(greedy))',
      { decorator: 'lam', of: { decorator: 'mlm', of: { method: 'greedy' } }, momentum: 0.9 },
    ],
    [
      'mlaan(infopro, variant: officialCode)',
      'mlaan(infopro)',
      { decorator: 'mlaan', of: { method: 'infopro' }, variant: 'officialCode' },
    ],
  ])('makes %s, and its config makes it again', async (text, name, config) => {
    const method = await createMethod(text);
    expect(method.name).toBe(name);
    expect(method.config).toEqual(config);
    const again = await methodFromConfig(JSON.parse(JSON.stringify(method.config)) as JsonObject);
    expect([again.name, again.config]).toEqual([name, config]);
  });

  it.each([
    ['mlm', 'invalid-option', "Method 'mlm' wraps another one, but none was given; write mlm(dgl), for instance."],
    ['dgl(greedy)', 'invalid-option', "Method 'dgl' wraps no other method, but 'greedy' was given; those that do: mlm"],
    ['lam(mlm)', 'invalid-option', "Method 'mlm' wraps another one"],
    ['mlamm(dgl)', 'unknown-name', "Unknown method 'mlamm'. Did you mean 'lam'?"],
    ['constructor', 'unknown-name', 'Allowed: backprop, greedy, dgl, infopro, mlm(…), lam(…), mlaan(…)'],
    ['greedy(head: 1c2f)', 'unknown-name', "Method 'greedy' has no options, but 'head' was given."],
    ['mlm(dgl, window: 0)', 'invalid-option', 'integers ≥ 1'],
    ['mlaan(dgl, momentum: 2)', 'invalid-option', 'numbers from 0 to 1'],
    ['acme-not-there', 'missing-dependency', 'npm install acme-not-there'],
    ['mlm(./not-there.mjs)', 'missing-dependency', 'not-there.mjs'],
  ])('refuses %s', async (text, code, message) => {
    await expect(createMethod(text)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it.each<[JsonObject]>([
    [{}],
    [{ method: 'dgl', of: { method: 'greedy' } }],
    [{ decorator: 'mlm' }],
    [{ method: 'dgl', decorator: 'mlm' }],
    [{ decorator: 'mlm', of: 'dgl' }],
  ])('refuses the config %j', async (config) => {
    await expect(methodFromConfig(config)).rejects.toThrow(/is no method's config; allowed: \{ method: name/);
  });
});

describe("packages of the user's project", () => {
  let project = '';
  const addPackage = async (name: string, source: string, manifest: object = {}) => {
    const folder = join(project, 'node_modules', name);
    await mkdir(folder, { recursive: true });
    const exports = { '.': { import: './index.js' } };
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name, type: 'module', exports, ...manifest }));
    await writeFile(join(folder, 'index.js'), source);
  };
  const own = (name: string, specVersion = 'v1') =>
    `({ specVersion: '${specVersion}', name: '${name}', config: { method: '${name}', ...options }, plan: () => {} })`;
  const wrapped =
    "({ ...of, name: 'acme(' + of.name + ')', config: { decorator: '@acme/deco', of: of.config, ...options } })";

  beforeAll(async () => {
    project = await realpath(await mkdtemp(join(tmpdir(), 'localgrad-project-')));
    await addPackage('acme-own', `export default (options) => ${own('acme-own')};`);
    await addPackage('@acme/deco', `export const decorator = (of, options) => ${wrapped};`);
    await addPackage('@acme/both', `export const method = (options) => ${own('both')};`, {
      exports: { '.': { default: './index.js' } },
    });
    await addPackage('acme-empty', 'export const nothing = 3;');
    await addPackage('acme-old', `export default (options) => ${own('acme-old', 'v0')};`);
    await addPackage('acme-odd', 'export default () => 3;');
    await addPackage('acme-broken', "throw new Error('it is broken');");
    await addPackage('acme-closed', '', { exports: { './other': './index.js' } });
    await writeFile(join(project, 'here.mjs'), `export default (options) => ${own('here')};`);
  });
  afterAll(() => rm(project, { recursive: true }));

  it('has a method by its name, with its options, also where it offers nothing to require', async () => {
    const { method, decorator } = await loadMethodPackage('acme-own', project);
    expect(decorator).toBeUndefined();
    expect(method?.({ depth: 2 })).toMatchObject({ name: 'acme-own', config: { method: 'acme-own', depth: 2 } });
    expect((await loadMethodPackage('@acme/both', project)).method?.({}).name).toBe('both');
    expect((await loadMethodPackage('./here.mjs', project)).method?.({}).name).toBe('here');
  });

  it('has a decorator', async () => {
    const { method, decorator } = await loadMethodPackage('@acme/deco', project);
    expect(method).toBeUndefined();
    expect(decorator?.(await createMethod('dgl'), { strength: 1 })).toMatchObject({
      name: 'acme(dgl)',
      config: { decorator: '@acme/deco', of: { method: 'dgl' }, strength: 1 },
    });
  });

  it.each([
    ['acme-absent', 'missing-dependency', 'npm install acme-absent'],
    ['acme-closed', 'missing-dependency', 'cannot be resolved'],
    ['acme-empty', 'invalid-option', "exports nothing; allowed: a default export or 'method'"],
    ['acme-broken', 'invalid-option', 'cannot be imported: it is broken'],
  ])('refuses %s', async (name, code, message) => {
    const loading = loadMethodPackage(name, project);
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('refuses what makes no method of this version', async () => {
    const old = await loadMethodPackage('acme-old', project);
    expect(() => old.method?.({})).toThrow("a method of specVersion 'v0'; allowed: { specVersion: 'v1'");
    const odd = await loadMethodPackage('acme-odd', project);
    expect(() => odd.method?.({})).toThrow("Method package 'acme-odd' makes no method");
  });

  it('leaves the names of our own methods alone', () => {
    expect(['dgl', 'mlaan', 'backprop'].some(isPackageName)).toBe(false);
    expect(['acme-own', '@acme/deco', './here.mjs'].every(isPackageName)).toBe(true);
  });
});
