import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { clockAt } from '@localgrad/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standardCatalog } from '../standard-catalog.js';
import { describeModule } from './external-module.js';
import { isExternalName } from './load-module.js';
import type { CatalogRequest } from './project-catalog.js';
import { projectResolver } from './project-resolver.node.js';

let project = '';
const write = async (name: string, content: string) => {
  const file = join(project, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
};
const addPackage = async (name: string, source: string, manifest: object = {}) => {
  const exports = { '.': { import: './index.js' } };
  const content = { name, version: '1.0.0', type: 'module', exports, ...manifest };
  await write(`node_modules/${name}/package.json`, JSON.stringify(content));
  await write(`node_modules/${name}/index.js`, source);
};
const own = (name: string, specVersion = 'v1') =>
  `({ specVersion: '${specVersion}', name: '${name}', config: { method: '${name}', ...options }, plan: () => {} })`;

const extend = (request: CatalogRequest) => projectResolver({ project }).extend(standardCatalog, request);

beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), 'localgrad-project-')));
  await addPackage('acme-own', `export default (options) => ${own('acme-own')};`);
  await addPackage(
    '@acme/deco',
    "export const decorator = (of, options) => ({ ...of, name: 'acme(' + of.name + ')', config: { decorator: '@acme/deco', of: of.config, ...options } });",
  );
  await addPackage('@acme/both', `export const method = (options) => ${own('both')};`, {
    exports: { '.': { default: './index.js' } },
  });
  await mkdir(join(project, 'photos'));
  await write('own-package/package.json', JSON.stringify({ name: 'own', exports: { '.': './dist/index.js' } }));
  await write('own-package/dist/index.js', '');
  await write('unbuilt/package.json', JSON.stringify({ name: 'unbuilt', exports: { '.': './dist/index.js' } }));
  await write('foreign/package.json', JSON.stringify({ name: 'acme-own' }));
  await addPackage('acme-empty', 'export const nothing = 3;');
  await addPackage('acme-ready', `const options = {};\nexport const method = ${own('acme-ready')};`);
  await addPackage('acme-default', `const options = {};\nexport default ${own('acme-default')};`);
  await addPackage('acme-old', `export default (options) => ${own('acme-old', 'v0')};`);
  await addPackage('acme-odd', 'export default () => 3;');
  await addPackage('acme-async', `export default async (options) => ${own('acme-async')};`);
  await addPackage('acme-broken', "throw new Error('it is broken');");
  await addPackage('acme-closed', '', { exports: { './other': './index.js' } });
  await addPackage(
    'acme-things',
    `export const backbone = (options) => ({ name: 'acme', config: { backbone: 'acme-things', ...options }, build() {} });
export const head = (options) => ({ name: 'acme-head', config: { head: 'acme-things', ...options }, build() {} });
export const optimizer = (options) => ({ config: options, stateBytes: () => 0, update() {}, state: () => new Map(), load() {}, dispose() {} });
export const schedule = ({ learningRate }) => ({ config: {}, rate: () => learningRate / 2 });
export const dataset = async (options) => ({ config: options, train: { size: 1 }, test: { size: 1 } });`,
  );
  await write('here.mjs', `export default (options) => ${own('here')};`);
  await write('my (old) methods, 100%/own.mjs', `export default (options) => ${own('spaced')};`);
});
afterAll(() => rm(project, { recursive: true }));

describe('projectResolver', () => {
  it.each([
    ['acme-own(depth: 2)', 'acme-own', { method: 'acme-own', depth: 2 }],
    ['@acme/both', 'both', { method: 'both' }],
    ['./here.mjs', 'here', { method: 'here' }],
    ['"./my (old) methods, 100%/own.mjs"(a: 1)', 'spaced', { method: 'spaced', a: 1 }],
    ['@acme/deco(dgl, strength: 1)', 'acme(dgl)', { decorator: '@acme/deco', of: { method: 'dgl' }, strength: 1 }],
    ['mlm("./here.mjs")', 'mlm(here)', { decorator: 'mlm', of: { method: 'here' } }],
  ])('resolves the method %s', async (method, name, config) => {
    const { catalog } = await extend({ method });
    expect(catalog.method(method)).toMatchObject({ name, config });
  });

  it('resolves every other kind of thing, with options', async () => {
    const { catalog, modules } = await extend({
      backbone: 'acme-things(width: 4)',
      dataset: 'acme-things',
      head: 'acme-things',
      optimizer: 'acme-things',
      schedule: 'acme-things',
    });
    expect(catalog.backbone('acme-things(width: 4)').config).toEqual({ backbone: 'acme-things', width: 4 });
    expect(catalog.head('acme-things').name).toBe('acme-head');
    expect(catalog.optimizer('acme-things', { learningRate: 1 }).config).toEqual({ learningRate: 1 });
    expect(catalog.schedule('acme-things', { learningRate: 1 }).rate(clockAt(0, 1, 1))).toBe(0.5);
    expect((await catalog.dataset('acme-things', { folder: 'x' })).config).toEqual({ folder: 'x' });
    expect(modules).toEqual([
      { name: 'acme-things', kind: 'package', version: '1.0.0', hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
  });

  it('resolves heads in the options of methods', async () => {
    const { catalog } = await extend({ method: 'mlm(dgl(head: "acme-things(width: 3)"))' });
    expect(catalog.method('dgl(head: "acme-things(width: 3)")').config).toEqual({
      method: 'dgl',
      head: 'acme-things(width: 3)',
    });
  });

  it('imports nothing for names in the catalog', async () => {
    const { catalog, modules } = await extend({ method: 'mlaan(dgl(head: dgl-cnn))', dataset: 'fashion-mnist-subset' });
    expect(catalog).toBe(standardCatalog);
    expect(modules).toEqual([]);
  });

  it.each<[CatalogRequest, string, string]>([
    [{ method: 'acme-absent' }, 'missing-dependency', 'npm install acme-absent'],
    [
      { dataset: 'fashion-mnsit' },
      'missing-dependency',
      "'fashion-mnsit' is neither a data set of localgrad nor a package",
    ],
    [{ method: '"here.mjs"' }, 'missing-dependency', "Paths start with a dot: './here.mjs'."],
    [
      { optimizer: './photos' },
      'invalid-option',
      "'./photos' is a folder; a file is required, e.g. './photos/index.mjs'.",
    ],
    [{ method: './own-package/' }, 'invalid-option', "a file is required, e.g. './own-package/dist/index.js'."],
    [{ method: './unbuilt' }, 'invalid-option', "a file is required, e.g. './unbuilt/dist/index.js'."],
    [{ method: './foreign' }, 'invalid-option', "a file is required, e.g. './foreign/index.mjs'."],
    [{ optimizer: './absent.mjs' }, 'missing-dependency', "There is no file './absent.mjs' in "],
    [{ optimizer: 'C:/absent.mjs' }, 'missing-dependency', "There is no file 'C:/absent.mjs' in "],
    [{ method: 'acme-closed' }, 'missing-dependency', 'cannot be resolved'],
    [
      { method: 'acme-empty' },
      'invalid-option',
      "exports nothing. To be used as a method it needs the export 'method'",
    ],
    [
      { backbone: '@acme/both' },
      'invalid-option',
      "exports method. To be used as a backbone it needs the export 'backbone'",
    ],
    [
      { method: 'acme-ready' },
      'invalid-option',
      "The export 'method' of 'acme-ready' is not a function. To be used as a method it must be a factory, (options) => LocalLearningMethod.",
    ],
    [{ method: 'acme-default' }, 'invalid-option', "The export 'default' of 'acme-default' is not a function."],
    [{ method: 'acme-broken' }, 'invalid-option', 'cannot be imported: it is broken'],
    [
      { method: 'dlg' },
      'unknown-name',
      'sequential(…), or a package or file of your project (acme-localgrad-own, ./own.mjs).',
    ],
    [{ schedule: 'cosin' }, 'unknown-name', "Unknown schedule 'cosin'. Did you mean 'cosine'?"],
    [{ dataset: 'photos' }, 'unknown-name', './own.mjs); there is also ./photos, if you mean that.'],
  ])('rejects %j', async (request, code, message) => {
    await expect(extend(request)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('checks the things that a module creates, and names the module in errors', async () => {
    const old = (await extend({ method: 'acme-old' })).catalog;
    expect(() => old.method('acme-old')).toThrow(
      "The method that 'acme-old' creates has specVersion 'v0'; this version of localgrad supports 'v1'.",
    );
    const late = (await extend({ method: 'acme-async' })).catalog;
    expect(() => late.method('acme-async')).toThrow(
      "The method factory of 'acme-async' returned a Promise, but nothing waits for it: it must not be async.",
    );
    const odd = (await extend({ backbone: 'acme-odd', dataset: 'acme-odd' })).catalog;
    expect(() => odd.backbone('acme-odd')).toThrow(
      "The backbone that 'acme-odd' creates is 3. Expected: (options) => BackboneFactory.",
    );
    await expect(odd.dataset('acme-odd')).rejects.toThrow("The data set that 'acme-odd' creates is 3.");
  });

  it('says how to repair a factory that is asynchronous, returns nothing or contains a mistake', async () => {
    await write('none.mjs', 'export default () => {};\nexport const decorator = () => {};');
    await write('wrong.mjs', 'export default (options) =>\n  options.more.width;');
    await write('late.mjs', 'export default async () => ({});');
    await write(
      'promises.mjs',
      'const later = async () => 1;\nexport default () => ({ config: {}, train: later(), test: later() });',
    );
    const of = async (name: string) => {
      const request = { method: name, backbone: name, dataset: name, optimizer: name, schedule: name };
      return (await extend(request)).catalog;
    };
    const none = await of('./none.mjs');
    for (const kind of ['method', 'backbone', 'optimizer', 'schedule', 'head'] as const) {
      const catalog = kind === 'head' ? (await extend({ head: './none.mjs' })).catalog : none;
      expect(() => catalog[kind]('./none.mjs')).toThrow(
        `The ${kind} that './none.mjs' creates is undefined; a function without 'return' returns nothing.`,
      );
    }
    expect(() => none.method('./none.mjs(dgl)')).toThrow("The decorator that './none.mjs' creates is undefined;");
    const wrong = await of('./wrong.mjs');
    const place = '(wrong.mjs:2:16)';
    for (const kind of ['method', 'backbone', 'optimizer', 'schedule'] as const) {
      expect(() => wrong[kind]('./wrong.mjs')).toThrow(
        `The ${kind} factory of './wrong.mjs' failed: Cannot read properties of undefined (reading 'width') ${place}`,
      );
    }
    await expect(wrong.dataset('./wrong.mjs')).rejects.toMatchObject({
      code: 'invalid-data',
      message: expect.stringContaining(place),
    });
    expect(() => wrong.backbone('./none.mjs')).toThrow('Unknown backbone');
    const late = await of('./late.mjs');
    expect(() => late.backbone('./late.mjs')).toThrow(
      'must not be async. Return the backbone itself, and await what it needs where the module is loaded.',
    );
    await expect((await of('./promises.mjs')).dataset('./promises.mjs')).rejects.toThrow(
      "The data set that './promises.mjs' creates has a Promise as 'train'; await it.",
    );
  });

  it('checks what the functions of a created thing return', async () => {
    const built = (content: string) => `({ name: 'mine', config: {}, specVersion: 'v1', ${content} })`;
    await write('empty.mjs', `export default () => ${built('build() {}, plan() {}')};`);
    const { catalog } = await extend({ method: './empty.mjs', backbone: './empty.mjs' });
    const options = { inputShape: [4, 4, 1], classes: 2, scope: {} as never } as const;
    expect(() => catalog.backbone('./empty.mjs').build(options)).toThrow(
      "Backbone 'mine': the result of build is undefined",
    );
    expect(() => catalog.method('mlm("./empty.mjs")').plan({ modules: [] } as never)).toThrow(
      "The plan of method 'mine' is undefined",
    );
    const { catalog: heads } = await extend({ head: './empty.mjs' });
    expect(() => heads.head('./empty.mjs').build({ module: 1 } as never, {} as never)).toThrow(
      "The head factory 'mine' on module 1 built no head: it is undefined",
    );
  });

  it('names the kind of an export that is not a function', async () => {
    await write('objects.mjs', 'export const optimizer = {};');
    await expect(extend({ optimizer: './objects.mjs' })).rejects.toThrow(
      "The export 'optimizer' of './objects.mjs' is not a function. To be used as an optimizer it must be a factory, (options) => Optimizer.",
    );
  });

  it('rejects a decorator without a method, and a method used as a decorator', async () => {
    const { catalog } = await extend({ method: 'mlm(@acme/deco)' });
    expect(() => catalog.method('mlm(@acme/deco)')).toThrow("'@acme/deco' is a decorator and needs a method");
    const wrapping = (await extend({ method: 'acme-own(dgl)' })).catalog;
    expect(() => wrapping.method('acme-own(dgl)')).toThrow("Method 'acme-own' cannot wrap 'dgl'");
  });
});

it('isExternalName accepts names with dashes, scopes and paths', () => {
  expect(['dgl', 'mlaan', 'backprop'].some(isExternalName)).toBe(false);
  expect(['acme-own', '@acme/deco', './here.mjs'].every(isExternalName)).toBe(true);
});

describe('describeModule', () => {
  it('takes absolute paths of Windows, with slashes of either kind, for files', async () => {
    await write('drive.mjs', 'export default () => {};');
    const url = `file://${join(project, 'drive.mjs')}`;
    for (const name of ['C:\\work\\drive.mjs', 'C:/work/drive.mjs', '\\\\server\\share\\drive.mjs'])
      expect(await describeModule(name, url)).toMatchObject({ name, kind: 'file', version: null });
  });

  const describeFile = (name: string) => describeModule(`./${name}`, `file://${join(project, name)}`);

  it('hashes a file and all files that it imports by relative paths', async () => {
    await write('hash/main.mjs', "import { width } from './helper.mjs';\nexport default () => width;");
    await write('hash/helper.mjs', "export * from './main.mjs';\nexport const width = 1;");
    const before = await describeFile('hash/main.mjs');
    expect(before).toMatchObject({ name: './hash/main.mjs', kind: 'file', version: null });
    expect(await describeFile('hash/main.mjs')).toEqual(before);
    await write('hash/helper.mjs', "export * from './main.mjs';\nexport const width = 2;");
    expect((await describeFile('hash/main.mjs')).hash).not.toBe(before.hash);
    await write('hash/unrelated.mjs', '');
    const after = await describeFile('hash/main.mjs');
    await write('hash/unrelated.mjs', 'changed');
    expect(await describeFile('hash/main.mjs')).toEqual(after);
  });

  it('hashes all files of a package, but not its dependencies', async () => {
    await addPackage('acme-hash', "export { method } from './lib/method.js';");
    await write('node_modules/acme-hash/lib/method.js', 'export const method = 1;');
    await write('node_modules/acme-hash/lib/package.json', '{ "type": "module" }');
    const url = `file://${join(project, 'node_modules/acme-hash/lib/method.js')}`;
    const before = await describeModule('acme-hash', url);
    expect(before).toMatchObject({ kind: 'package', version: '1.0.0' });
    await write('node_modules/acme-hash/node_modules/other/index.js', 'anything');
    expect(await describeModule('acme-hash', url)).toEqual(before);
    await write('node_modules/acme-hash/lib/weights.json', '[1]');
    expect((await describeModule('acme-hash', url)).hash).not.toBe(before.hash);
  });
});
