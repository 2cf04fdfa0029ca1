import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DownloadOptions, downloadFile } from './download-file.js';
import { withLock } from './lock.js';
import { sendPart, serve, startServer, type TestServer } from './test-server.fixture.js';

const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) & 255);
const md5 = createHash('md5').update(content).digest('hex');
const fast: DownloadOptions = { retryDelay: 5, attempts: 3, stallTimeout: 20_000 };
/** For connections that stall, or must not seem to. */
const impatient: DownloadOptions = { ...fast, stallTimeout: 300 };

let server: TestServer;
let root: string;
let path: string;
beforeAll(async () => {
  server = await startServer();
  root = mkdtempSync(join(tmpdir(), 'localgrad-download-'));
});
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  path = join(mkdtempSync(join(root, 'case-')), 'set.bin');
});

const file = () => ({
  name: 'set.bin',
  urls: [`${server.url}set.bin`],
  digest: { algorithm: 'md5' as const, hex: md5 },
});
const expectComplete = () => {
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(readdirSync(join(path, '..'))).toEqual(['set.bin']);
};

describe('downloadFile', () => {
  it('downloads a file, and reports progress', async () => {
    server.answer(serve(content));
    const progress: number[] = [];
    await downloadFile(file(), path, { ...fast, onProgress: ({ received }) => void progress.push(received) });
    expectComplete();
    expect(progress.at(-1)).toBe(content.length);
  });

  it('resumes after a dropped or stalled connection', async () => {
    server.answer(sendPart(content, 100_000, 'drop'), sendPart(content, 50_000, 'stall'), serve(content));
    // Long enough that answers of a busy machine are not taken for stalled ones.
    await downloadFile(file(), path, { ...fast, stallTimeout: 3_000 });
    expectComplete();
    expect(server.ranges).toEqual([undefined, 'bytes=100000-', 'bytes=150000-']);
  });

  it('takes a busy thread for no stalled connection', async () => {
    // The server runs in this thread: the answer waits in the socket when the client's timer is due.
    server.answer((request, response) => {
      const end = performance.now() + 600;
      while (performance.now() < end);
      serve(content)(request, response);
    });
    await downloadFile(file(), path, impatient);
    expectComplete();
    expect(server.ranges).toEqual([undefined]);
  });

  it('starts over if the server ignores ranges', async () => {
    server.answer(sendPart(content, 100_000, 'drop'), (_, response) => response.end(content));
    await downloadFile(file(), path, fast);
    expectComplete();
  });

  it('starts over if the content changed between two parts', async () => {
    const old = content.map((byte) => byte ^ 1);
    server.answer(sendPart(old, 100_000, 'drop', '"old"'), serve(content, '"new"'));
    await downloadFile(file(), path, fast);
    expectComplete();
    expect(server.ranges).toEqual([undefined, 'bytes=100000-']);
  });

  it('starts over once if the content changed without a validator', async () => {
    const old = content.map((byte) => byte ^ 1);
    server.answer(sendPart(old, 100_000, 'drop'), serve(content));
    await downloadFile(file(), path, fast);
    expectComplete();
    expect(server.ranges).toEqual([undefined, 'bytes=100000-', undefined]);
  });

  it.each<[string, (response: import('node:http').ServerResponse) => void]>([
    ['more', (response) => response.writeHead(200, { 'content-length': content.length + 10 }).end(content)],
    ['less', (response) => response.writeHead(200, { 'content-length': 1000 }).end(content)],
    ['another part', (response) => response.writeHead(206, { 'content-range': 'bytes 7-299999/300000' }).end(content)],
    ['a number that is none', (response) => response.writeHead(503, 'Busy').end('later')],
  ])('throws and leaves no file if a server declares %s than it sends', async (_, answer) => {
    server.answer((_, response) => answer(response));
    await expect(downloadFile(file(), path, impatient)).rejects.toMatchObject({ code: 'invalid-data' });
    expect(existsSync(path)).toBe(false);
  });

  it('throws an error with both hashes, and leaves nothing, if the content differs', async () => {
    server.answer(serve(Uint8Array.from([1, 2, 3])));
    const downloading = downloadFile(file(), path, fast);
    await expect(downloading).rejects.toThrow(
      new RegExp(`expected MD5 ${md5}, found 5289df737df57326fcdd22597afb1fac`),
    );
    expect(readdirSync(join(path, '..'))).toEqual([]);
  });

  it('uses the next URL if one fails', async () => {
    server.answer(serve(content));
    const urls = ['http://127.0.0.1:1/set.bin', `${server.url}set.bin`];
    await downloadFile({ ...file(), urls }, path, fast);
    expectComplete();
    const nowhere = downloadFile({ ...file(), urls: urls.slice(0, 1) }, `${path}2`, fast);
    await expect(nowhere).rejects.toThrow(/127\.0\.0\.1:1.*3 times in a row.*--from-dir/);
  });

  it('stops when aborted, and resumes later', async () => {
    const controller = new AbortController();
    server.answer(sendPart(content, 100_000, 'stall'), serve(content));
    const downloading = downloadFile(file(), path, {
      ...fast,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('enough')),
    });
    await expect(downloading).rejects.toThrow('enough');
    expect(existsSync(path)).toBe(false);
    await downloadFile(file(), path, fast);
    expectComplete();
  });
});

describe('withLock', () => {
  it('runs one process at a time, and takes over the lock of an ended one', async () => {
    const lock = join(root, 'lock');
    await withLock(lock, async () => {
      await expect(withLock(lock, async () => 1)).rejects.toThrow(/Another process is downloading/);
    });
    expect(existsSync(lock)).toBe(false);
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    expect(await withLock(lock, async () => 2)).toBe(2);
  });
});

describe('kill -9 in the middle of downloadFile', () => {
  it('leaves no file under the final name, and the same call resumes', { timeout: 60_000 }, async () => {
    const folder = join(root, 'killed');
    mkdirSync(folder);
    const [program, target] = [join(folder, 'fetch.mjs'), join(folder, 'set.bin')];
    const entry = fileURLToPath(new URL('index.ts', import.meta.url));
    await build({
      stdin: {
        contents: `import { downloadFile, withLock } from ${JSON.stringify(entry)};
          await withLock(${JSON.stringify(join(folder, 'lock'))}, () =>
            downloadFile(${JSON.stringify(file())}, ${JSON.stringify(target)}, { retryDelay: 5 }));`,
        resolveDir: folder,
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'error',
    });
    const run = (): { child: ChildProcess; ended: Promise<unknown> } => {
      const child = spawn(process.execPath, [program]);
      return { child, ended: new Promise((resolve) => child.on('close', resolve)) };
    };
    server.answer(sendPart(content, 120_000, 'stall'));
    const first = run();
    const partial = `${target}.part`;
    while (!existsSync(partial) || statSync(partial).size < 120_000) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    first.child.kill('SIGKILL');
    await first.ended;
    expect(readdirSync(folder).sort()).toEqual(['fetch.mjs', 'lock', 'set.bin.part', 'set.bin.part.json']);

    server.answer(serve(content));
    expect(await run().ended).toBe(0);
    expect(server.ranges).toEqual(['bytes=120000-']);
    expect(readFileSync(target).equals(content)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['fetch.mjs', 'set.bin']);
  });
});
