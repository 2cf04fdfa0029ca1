import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { withLock } from '@localgrad/core/downloads';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { provideRelease } from './library.js';
import { fileOf, type Release, type Wheel } from './releases.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const download = { retryDelay: 5, attempts: 3, stallTimeout: 20_000 };
const contents = new Map<string, Buffer>();
let release: Release;
let server: Server;
let index: string;
/** Answers to requests for a path; others get the index and the wheels. */
const answers = new Map<string, Answer[]>();
let ranges: (string | undefined)[] = [];
let root: string;
let cache: string;

async function wheel(name: string, files: Readonly<Record<string, string>>): Promise<Wheel> {
  const zip = new ZipFile();
  for (const [path, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), path, { compress: false });
  zip.end();
  const content = await buffer(zip.outputStream);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const made = {
    name,
    version: '1.0',
    tag: 'py3-none-any',
    bytes: content.length,
    unpackedBytes: content.length,
    sha256,
  };
  contents.set(`/files/${fileOf(made)}`, content);
  return made;
}

const filler = 'x'.repeat(200_000);

beforeAll(async () => {
  release = {
    id: 'fake',
    packageName: '@tensorflow/tfjs-node-gpu',
    tensorflow: '1.0',
    description: 'TensorFlow 1.0',
    wheels: [
      await wheel('tensorflow', {
        'tensorflow/libtensorflow_cc.so.2': `cc${filler}`,
        'tensorflow/libtensorflow_framework.so.2': 'framework',
        'tensorflow/include/tensorflow/c/c_api.h': 'header',
        'tensorflow/python/keras.py': 'python',
      }),
      await wheel('nvidia-cudnn-cu12', {
        'nvidia/cudnn/lib/libcudnn.so.9': `cudnn${filler}`,
        'nvidia/cudnn/include/cudnn.h': 'header',
        'nvidia/cuda_nvcc/bin/ptxas': 'assembler',
      }),
    ],
  };
  server = createServer((request, response) => {
    const path = request.url ?? '';
    const own = answers.get(path);
    const answer = own?.shift();
    if (path.startsWith('/files/')) ranges.push(request.headers.range);
    if (answer !== undefined) return answer(request, response);
    const content = contents.get(path);
    if (content === undefined) return listing(path, response);
    const start = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': content.length - start,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    response.end(content.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  index = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/simple/`;
  root = await mkdtemp(join(tmpdir(), 'localgrad-library-'));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  answers.clear();
  ranges = [];
  cache = await mkdtemp(join(root, 'cache-'));
});

/** The page of a package, as PEP 691 has it. */
function listing(path: string, response: ServerResponse): void {
  const found = release.wheels.filter(({ name }) => path === `/simple/${name}/`);
  const files = found.map((one) => ({
    filename: fileOf(one),
    url: `/files/${fileOf(one)}`,
    hashes: { sha256: one.sha256 },
  }));
  response.writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' });
  response.end(JSON.stringify({ files }));
}

const library = () => join(cache, 'tensorflow', 'fake');
const file = (position: number) => `/files/${fileOf(release.wheels[position] ?? expect.unreachable())}`;
const provide = (say: (line: string) => void = () => {}, options: { fromDir?: string; index?: string } = {}) =>
  provideRelease(release, cache, { index, download, ...options }, say);

async function expectLibrary(): Promise<void> {
  expect(await readdir(join(cache, 'tensorflow'))).toEqual(['fake']);
  expect((await readdir(library(), { recursive: true })).sort()).toEqual(
    [
      'include',
      'include/tensorflow',
      'include/tensorflow/c',
      'include/tensorflow/c/c_api.h',
      'lib',
      'lib/libtensorflow_cc.so.2',
      'lib/libtensorflow_framework.so.2',
      'nvidia',
      'nvidia/cuda_nvcc',
      'nvidia/cuda_nvcc/bin',
      'nvidia/cuda_nvcc/bin/ptxas',
      'nvidia/cudnn',
      'nvidia/cudnn/lib',
      'nvidia/cudnn/lib/libcudnn.so.9',
    ].sort(),
  );
  expect(await readFile(join(library(), 'lib/libtensorflow_framework.so.2'), 'utf8')).toBe('framework');
}

/** Sends part of a wheel, then ends the connection. */
const drop =
  (path: string): Answer =>
  (_, response) => {
    const content = contents.get(path) ?? expect.unreachable();
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 100_000), () => setTimeout(() => response.socket?.end(), 300));
  };

describe('the library of a release', () => {
  it('is downloaded and unpacked with the libraries of CUDA beside it, after its sizes have been said', async () => {
    const said: string[] = [];
    expect(await provide((line) => void said.push(line))).toBe(library());
    await expectLibrary();
    expect((await stat(join(library(), 'nvidia/cuda_nvcc/bin/ptxas'))).mode & 0o111).toBe(0o111);
    expect(said[0]).toMatch(/TensorFlow 1\.0: 1 MB to download, 1 MB on disk/);
    expect(said[1]).toMatch(/Downloading 1 of 2: tensorflow/);
    ranges = [];
    await provide();
    expect(ranges, 'nothing is downloaded twice').toEqual([]);
  });

  it('resumes after a dropped connection', async () => {
    answers.set(file(1), [drop(file(1))]);
    await provide();
    await expectLibrary();
    expect(ranges).toEqual([undefined, undefined, 'bytes=100000-']);
  });

  it('resumes in the next call, with the wheels that are complete', async () => {
    const broken: Answer = (_, response) => response.writeHead(500).end();
    answers.set(file(1), [drop(file(1)), broken, broken]);
    await expect(provide()).rejects.toThrow(/nvidia_cudnn_cu12.*could not be downloaded.*500.*3 times in a row/s);
    expect(existsSync(library())).toBe(false);
    ranges = [];
    await provide();
    await expectLibrary();
    expect(ranges).toEqual(['bytes=100000-']);
  });

  it('is rejected, and nothing is left, if the content is not the published one', async () => {
    const other: Answer = (_, response) => response.end('something else');
    answers.set(file(0), [other]);
    await expect(provide()).rejects.toThrow(/expected SHA-256 [0-9a-f]{64}, found/);
    expect(existsSync(library())).toBe(false);
    await provide();
    await expectLibrary();
  });

  it('is rejected if a server declares more than it sends', async () => {
    const lie: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': 500 });
      response.write('short', () => setTimeout(() => response.socket?.end(), 300));
    };
    answers.set(
      file(0),
      Array.from({ length: 8 }, () => lie),
    );
    await expect(provide()).rejects.toMatchObject({ code: 'invalid-data' });
    answers.clear();
    await provide();
    await expectLibrary();
  });

  it('is rejected before the download if the index publishes another hash', async () => {
    const page: Answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      const name = fileOf(release.wheels[0] ?? expect.unreachable());
      response.end(`<a href="../../files/${name}#sha256=${'0'.repeat(64)}" data-requires-python="&gt;=3">${name}</a>`);
    };
    answers.set('/simple/tensorflow/', [page]);
    await expect(provide()).rejects.toThrow(/publishes another tensorflow-1\.0.*found 0{64}/);
    expect(ranges).toEqual([]);
  });

  it('is found on indexes of HTML pages', async () => {
    const pages = release.wheels.map((one): [string, Answer] => [
      `/simple/${one.name}/`,
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/html' });
        const name = fileOf(one);
        response.end(
          `<a href="/other">other.whl</a>\n<a href="../../files/${name}?a=1&amp;b=2#sha256=${one.sha256}">${name}</a>`,
        );
      },
    ]);
    for (const [path, answer] of pages) answers.set(path, [answer]);
    for (const one of release.wheels) {
      const content = contents.get(`/files/${fileOf(one)}`) ?? expect.unreachable();
      answers.set(`/files/${fileOf(one)}?a=1&b=2`, [(_, response) => response.end(content)]);
    }
    await provide();
    await expectLibrary();
  });

  it('is not on an index that lacks it', async () => {
    answers.set('/simple/tensorflow/', [
      (_, response) => response.setHeader('content-type', 'text/html').end('<a href="x">x</a>'),
    ]);
    await expect(provide()).rejects.toThrow(/simple\/tensorflow\/ does not list tensorflow-1\.0-py3-none-any\.whl/);
  });

  it('comes from a folder without a network; missing and changed files are named', async () => {
    const fromDir = join(cache, 'wheels');
    await mkdir(fromDir);
    const offline = { fromDir, index: 'http://127.0.0.1:9/' };
    await expect(provide(undefined, offline)).rejects.toThrow(
      /tensorflow-1\.0-py3-none-any\.whl was not found.*pip download/,
    );
    for (const [path, content] of contents) await writeFile(join(fromDir, path.slice('/files/'.length)), content);
    const second = join(fromDir, fileOf(release.wheels[1] ?? expect.unreachable()));
    await writeFile(second, 'changed');
    await expect(provide(undefined, offline)).rejects.toThrow(/nvidia_cudnn.*is not the published file/);
    expect(await readFile(second, 'utf8')).toBe('changed');
    await writeFile(second, contents.get(file(1)) ?? expect.unreachable());
    await provide(undefined, offline);
    await expectLibrary();
    expect(await buffer(createReadStream(second)), 'the user’s files stay').toEqual(contents.get(file(1)));
  });

  it('needs space, which the error states', async () => {
    const [first = expect.unreachable()] = release.wheels;
    const huge = { ...release, wheels: [{ ...first, unpackedBytes: 1e18 }] };
    const providing = provideRelease(huge, cache, { index, download }, () => {});
    await expect(providing).rejects.toThrow(/needs 1000000000\.0 GB in .* where [\d.]+ [GM]B are free.*--cache/);
    expect(ranges).toEqual([]);
  });

  it('is set up by one process at a time', async () => {
    await mkdir(join(cache, 'tensorflow'));
    await withLock(`${library()}.lock`, async () => {
      await expect(provide()).rejects.toMatchObject({ code: 'misuse' });
    });
    await provide();
    await expectLibrary();
  });
});
