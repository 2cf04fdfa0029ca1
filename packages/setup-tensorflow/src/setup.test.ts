import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { create } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { unpackArchive } from './archive.js';
import { buildBinding, compilerArguments } from './binding.js';
import { processorRelease } from './releases.js';
import { checkSource } from './setup-tensorflow.js';
import { parseSource, unpackSource } from './source.js';
import { unpackWheel } from './wheel.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'localgrad-setup-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function wheel(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const zip = new ZipFile();
  for (const [path, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), path);
  zip.end();
  const file = join(folder, name);
  await pipeline(zip.outputStream, createWriteStream(file));
  return file;
}

const libraries = { 'tensorflow/libtensorflow_cc.so.2': 'cc', 'tensorflow/libtensorflow_framework.so.2': 'framework' };

describe('a wheel', () => {
  it('yields only its library and the headers of its C interface', async () => {
    const file = await wheel('good.whl', {
      ...libraries,
      'tensorflow/include/tensorflow/c/eager/c_api.h': 'header',
      'tensorflow/python/keras.py': 'python',
    });
    const target = join(folder, 'from-wheel');
    await unpackWheel(file, target);
    expect(await readFile(join(target, 'lib/libtensorflow_cc.so.2'), 'utf8')).toBe('cc');
    expect(await readFile(join(target, 'include/tensorflow/c/eager/c_api.h'), 'utf8')).toBe('header');
    await expect(readFile(join(target, 'python/keras.py'))).rejects.toThrow();
  });

  it('is rejected if it is truncated or contains no library', async () => {
    const empty = await wheel('empty.whl', { 'tensorflow/python/keras.py': 'python' });
    await expect(unpackWheel(empty, join(folder, 'a'))).rejects.toThrow(/empty\.whl' contains no libtensorflow_cc/);
    const cut = await wheel('cut.whl', libraries);
    await truncate(cut, 60);
    await expect(unpackWheel(cut, join(folder, 'b'))).rejects.toThrow(/cut\.whl' is not an intact wheel/);
  });
});

describe('an archive', () => {
  it('yields its library, or is rejected without one', async () => {
    const content = join(folder, 'content');
    await mkdir(join(content, 'lib'), { recursive: true });
    await mkdir(join(content, 'include'));
    const file = join(folder, 'libtensorflow.tar.gz');
    await create({ gzip: true, file, cwd: content }, ['lib', 'include']);
    await expect(unpackArchive(file, join(folder, 'c'))).rejects.toThrow(/contains no lib\/libtensorflow/);
    await writeFile(join(content, 'lib/libtensorflow.so.2'), 'library');
    await create({ gzip: true, file, cwd: content }, ['lib', 'include']);
    const target = join(folder, 'from-archive');
    await unpackArchive(file, target);
    expect(await readFile(join(target, 'lib/libtensorflow.so.2'), 'utf8')).toBe('library');
    await truncate(file, 50);
    await expect(unpackArchive(file, join(folder, 'd'))).rejects.toThrow(/not an intact \.tar\.gz/);
  });

  it.skipIf(process.platform === 'win32')('is unpacked without setuid, setgid and sticky bits', async () => {
    const content = join(folder, 'special');
    await mkdir(join(content, 'lib'), { recursive: true });
    const library = join(content, 'lib/libtensorflow.so.2');
    await writeFile(library, 'library');
    await chmod(library, 0o6777);
    await chmod(join(content, 'lib'), 0o1777);
    const file = join(folder, 'special.tar.gz');
    await create({ gzip: true, file, cwd: content }, ['lib']);
    const target = join(folder, 'from-special');
    await unpackArchive(file, target);
    const modeOf = async (path: string) => (await stat(join(target, path))).mode & 0o7777;
    expect(await modeOf('lib/libtensorflow.so.2')).toBe(0o755);
    expect(await modeOf('lib')).toBe(0o755);
  });
});

describe('sources', () => {
  it('are PyPI, files and URLs; others are rejected with the allowed ones', async () => {
    expect(parseSource('pypi')).toBeUndefined();
    expect(parseSource('https://example.org/a/libtensorflow-cpu.tar.gz?x=1')).toMatchObject({ kind: 'url' });
    expect(() => parseSource('nowhere.whl')).toThrow(/the file does not exist.*Allowed: pypi/);
    const file = join(folder, 'library.txt');
    await writeFile(file, '');
    expect(() => parseSource(file)).toThrow(/does not end in \.whl/);
  });

  it('report the address that cannot be reached', async () => {
    const source = { kind: 'url', url: 'http://127.0.0.1:9/libtensorflow.tar.gz', id: 'library' } as const;
    await expect(unpackSource(source, folder, join(folder, 'e'), () => {})).rejects.toThrow(
      /Cannot download http:\/\/127\.0\.0\.1:9/,
    );
  });
});

describe('the command', () => {
  it('says on Windows what to do instead, also with a library of the user', () => {
    const file = { kind: 'file', path: 'libtensorflow.tar.gz', id: 'own' } as const;
    for (const source of [undefined, file])
      expect(() => checkSource(processorRelease, source, { from: 'pypi' }, 'win32')).toThrow(
        /compiles on Linux and macOS only.*npm install @tensorflow\/tfjs-node; the backends wasm and webgpu/,
      );
    expect(() => checkSource(processorRelease, file, { from: 'x.tar.gz' }, 'darwin')).not.toThrow();
  });
});

describe('the binding', () => {
  it.each([
    ['linux', '-Wl,-rpath,$ORIGIN/../../deps/lib'],
    ['darwin', '-Wl,-rpath,@loader_path/../../deps/lib'],
  ] as const)('finds its library beside itself on %s', async (platform, option) => {
    const library = join(folder, `library-${platform}`);
    await mkdir(join(library, 'lib'), { recursive: true });
    const args = compilerArguments(join(folder, 'package'), library, 'binding.node', platform);
    expect(args.filter((arg) => arg.includes('rpath'))).toEqual([option]);
  });

  it('fails with the compiler’s output and leaves no partial file', async () => {
    const [packageFolder, library] = [join(folder, 'package'), join(folder, 'from-archive')];
    await mkdir(join(packageFolder, 'binding'), { recursive: true });
    for (const name of ['tfjs_backend.cc', 'tfjs_binding.cc']) {
      await writeFile(join(packageFolder, 'binding', name), '#error not today\n');
    }
    await expect(buildBinding(packageFolder, library)).rejects.toThrow(/not today|none of .* was found/s);
    await expect(readFile(join(packageFolder, 'lib/napi-v8/tfjs_binding.node'))).rejects.toThrow(/ENOENT/);
  });
});
