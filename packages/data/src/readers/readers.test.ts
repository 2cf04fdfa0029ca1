import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { readCifar } from './cifar-archive.js';
import { kmnist, mnist } from './mnist.js';
import { expectations, fixtureBytes, folderOf, folds, summarize } from './readers.fixture.js';
import { readStl10, stl10 } from './stl10.js';
import { readSvhn, svhn } from './svhn.js';

const svhnCounts = { train: 5, test: 3, extra: 2 };
const stlCounts = { train: 6, test: 4, fold: 2 };

describe('readers of the original formats', () => {
  let dispose = () => {};
  afterEach(() => dispose());
  const prepare = (files: Record<string, string>): string => {
    const prepared = folderOf(files);
    dispose = prepared.dispose;
    return prepared.folder;
  };

  it.each(['binary', 'python-python2', 'python-2', 'python-4', 'python-5'])(
    'CIFAR-10 and CIFAR-100, archive %s: reads the same pixels as numpy without unpacking',
    async (version) => {
      const [format = ''] = version.split('-');
      for (const name of ['cifar10', 'cifar100'] as const) {
        const archive = `cifar-${name.slice(5)}-${format}.tar.gz`;
        const folder = prepare({ [archive]: `${name}-${version}.tar.gz` });
        const { train, test, config } = await readCifar(name, folder, 10);
        expect(summarize(train)).toEqual(expectations[name]?.train);
        expect(summarize(test)).toEqual(expectations[name]?.test);
        expect(config).toEqual({ dataset: name });
        expect(train.classes.slice(0, 2)).toEqual(['class 0', 'class 1']);
        expect(train.classes).toHaveLength(Number(name.slice(5)));
        expect(summarize((await readCifar(name, join(folder, archive), 10)).train).sha256).toBe(
          expectations[name]?.train?.sha256,
        );
        dispose();
        dispose = () => {};
      }
    },
  );

  it('CIFAR: reads the unpacked folder', async () => {
    const folder = prepare({ 'cifar-100-python.tar.gz': 'cifar100-python-python2.tar.gz' });
    execFileSync('tar', ['-xzf', 'cifar-100-python.tar.gz'], { cwd: folder });
    rmSync(join(folder, 'cifar-100-python.tar.gz'));
    const { test } = await readCifar('cifar100', folder, 10);
    expect(summarize(test)).toEqual(expectations.cifar100?.test);
  });

  it('SVHN: reads files written by scipy, compressed bytes and plain doubles, with and without extra', async () => {
    const files = ['train', 'test', 'extra'].map((part) => `${part}_32x32`);
    for (const [key, suffix] of [
      ['svhn-compressed', '.mat'],
      ['svhn-plain', '_plain.mat'],
    ] as const) {
      const folder = prepare(Object.fromEntries(files.map((file) => [`${file}.mat`, `${file}${suffix}`])));
      const { train, test, config } = await readSvhn({ folder }, svhnCounts);
      expect(config).toEqual({ dataset: 'svhn' });
      expect(summarize(train)).toEqual(expectations[key]?.train);
      expect(summarize(test)).toEqual(expectations[key]?.test);
      // The files label the digit 0 as 10.
      expect(train.labels[0]).toBe(0);
      const more = await readSvhn({ folder, extra: true }, svhnCounts);
      expect(more.config).toEqual({ dataset: 'svhn', extra: true });
      expect([...more.train.labels]).toEqual([
        ...(expectations[key]?.train?.labels ?? []),
        ...(expectations[key]?.extra?.labels ?? []),
      ]);
      expect(summarize({ ...more.train, size: 2, images: more.train.images.subarray(5 * 3072) }).sha256).toBe(
        expectations[key]?.extra?.sha256,
      );
      dispose();
      dispose = () => {};
    }
  });

  it('SVHN: skips variables of other names and kinds, and reads labels of 64 bits', async () => {
    const folder = prepare({ 'train_32x32.mat': 'train_32x32_annotated.mat', 'test_32x32.mat': 'test_32x32.mat' });
    const { train } = await readSvhn({ folder }, svhnCounts);
    expect(summarize(train)).toEqual(expectations['svhn-compressed']?.train);
  });

  it('STL-10: reads column-major images and a published fold', async () => {
    const folder = prepare({ 'stl10_binary.tar.gz': 'stl10_binary.tar.gz' });
    const { train, test } = await readStl10({ folder }, stlCounts);
    expect(summarize(train)).toEqual(expectations.stl10?.train);
    expect(summarize(test)).toEqual(expectations.stl10?.test);
    const { train: third, config } = await readStl10({ folder, fold: 3 }, stlCounts);
    expect(config).toEqual({ dataset: 'stl10', fold: 3 });
    expect([...third.labels]).toEqual(folds[3]?.map((index) => train.labels[index]));
    const [index = 0] = folds[3] ?? [];
    expect(third.images.subarray(0, 27648)).toEqual(train.images.subarray(index * 27648, (index + 1) * 27648));
    await expect(stl10({ folder, fold: 10 })).rejects.toThrow(/integers from 0 to 9/);
  });

  it('MNIST and KMNIST: read compressed IDX files', async () => {
    const names = ['train', 't10k'].flatMap((part) => [`${part}-images-idx3-ubyte.gz`, `${part}-labels-idx1-ubyte.gz`]);
    const folder = prepare(Object.fromEntries(names.map((name) => [name, name])));
    const { train, test } = await mnist({ folder });
    expect(summarize(train)).toEqual(expectations.idx?.train);
    expect(summarize(test)).toEqual(expectations.idx?.t10k);
    expect((await kmnist({ folder })).train.classes[1]).toBe('ki');
  });
});

describe('damaged files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-damaged-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const tar = gunzipSync(fixtureBytes('cifar10-binary.tar.gz'));

  /** Reads a changed archive of CIFAR-10's binary version. */
  function readTar(change: (content: Buffer) => Buffer, trainSize = 10) {
    writeFileSync(join(folder, 'cifar-10-binary.tar.gz'), gzipSync(change(Buffer.from(tar))));
    return readCifar('cifar10', folder, trainSize);
  }

  it.runIf(existsSync('/dev/zero'))('rejects a device instead of an archive, which never ends', async () => {
    const own = mkdtempSync(join(folder, 'device-'));
    symlinkSync('/dev/zero', join(own, 'cifar-10-binary.tar.gz'));
    await expect(readCifar('cifar10', own, 10)).rejects.toThrow(/a device, a pipe or a socket/);
  });

  /** Writes a text into a header, and corrects its checksum. */
  function patchHeader(content: Buffer, header: number, at: number, text: string): Buffer {
    content.write(text, header + at, 'latin1');
    content.fill(0x20, header + 148, header + 156);
    const sum = content.subarray(header, header + 512).reduce((total, byte) => total + byte, 0);
    content.write(`${sum.toString(8).padStart(6, '0')}\0 `, header + 148, 'latin1');
    return content;
  }

  /** An extended header with records. */
  function extended(content: Buffer, ...records: readonly string[]): Buffer {
    const text = records.map((record) => `${record.length + 4} ${record}\n`).join('');
    const header = Buffer.concat([content.subarray(0, 512), Buffer.alloc(512)]);
    header.write(text, 512, 'latin1');
    patchHeader(header, 0, 156, 'x');
    return patchHeader(header, 0, 124, text.length.toString(8).padStart(11, '0'));
  }

  it.each<[string, (content: Buffer) => Buffer, RegExp]>([
    [
      'truncated in a file',
      (c) => c.subarray(0, 3000),
      /binary\.tar\.gz, byte 3000: expected 6146 bytes of .*truncated/,
    ],
    ['truncated between files', (c) => c.subarray(0, 512 + 6656), /byte 7168: expected another file or the end mark/],
    ['a flipped bit in a header', (c) => c.fill(0x41, 3, 4), /byte 0: expected a tar header with checksum \d+, found/],
    ['no tar archive', () => Buffer.alloc(2048, 0x55), /byte 0: expected a tar header.*no tar archive/],
    ['a path out of the archive', (c) => patchHeader(c, 0, 0, '../../x/test_batch.bin\0'), /byte 0: .*leads out of it/],
    ['an absolute path', (c) => patchHeader(c, 0, 0, '/etc/test_batch.bin\0'), /byte 0: .*leads out of it/],
    [
      'a size that is too large',
      (c) => patchHeader(c, 0, 124, '77777777777'),
      /at most 268435456 bytes of 'test_batch/,
    ],
    [
      'a file twice',
      (c) => Buffer.concat([c.subarray(0, 7168), c]),
      /expected one file 'test_batch\.bin', found a second/,
    ],
    ...['-1536', '1e9', '9'.repeat(20)].map((size): [string, (content: Buffer) => Buffer, RegExp] => [
      `an extended size of ${size}`,
      (c) => Buffer.concat([extended(c, `path=x`, `size=${size}`), c]),
      new RegExp(`byte 0: expected the size of a file in an extended header, found '${size}'`),
    ]),
    ['a missing file', (c) => c.subarray(7168), /does not contain 'test_batch\.bin'/],
    [
      'a label that is too large',
      (c) => c.fill(10, 512 + 3073, 512 + 3074),
      /binary\.tar\.gz: cifar-10-batches-bin\/test_batch\.bin, byte 3073: expected a label below 10, found 10/,
    ],
  ])('archive with %s: reports file, offset and expected content', async (_, change, message) => {
    const reading = readTar(change);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(/University of Toronto/);
    await expect(reading).rejects.toMatchObject({ code: 'invalid-data' });
  });

  it('archive with another number of records: reports the file', async () => {
    await expect(readTar((c) => c, 15)).rejects.toThrow(/byte 6146: expected 9219 bytes: 3 records of 3073.*truncated/);
  });

  it('truncated or changed gzip stream: reports the offset', async () => {
    const whole = fixtureBytes('cifar10-binary.tar.gz');
    const flipped = Buffer.from(whole);
    // The checksum in the last eight bytes no longer fits.
    flipped[whole.length - 6] = (flipped[whole.length - 6] ?? 0) ^ 1;
    for (const content of [whole.subarray(0, 2000), flipped]) {
      writeFileSync(join(folder, 'cifar-10-binary.tar.gz'), content);
      await expect(readCifar('cifar10', folder, 10)).rejects.toThrow(/byte \d+: expected more data of a whole gzip/);
    }
  });

  it('SVHN: rejects another version, count, labels and truncation', async () => {
    const plain = fixtureBytes('train_32x32_plain.mat');
    const read = (content: Uint8Array, counts = svhnCounts) => {
      writeFileSync(join(folder, 'train_32x32.mat'), content);
      return readSvhn({ folder }, counts);
    };
    const changed = (at: number, ...bytes: number[]) =>
      Buffer.from(plain).fill(Uint8Array.from(bytes), at, at + bytes.length);
    await expect(read(plain.subarray(0, 9000))).rejects.toThrow(
      /train_32x32\.mat, byte 9000: expected 3072 bytes of 'X'/,
    );
    await expect(read(plain.subarray(0, 100))).rejects.toThrow(/byte 100: expected 128 bytes of the header/);
    await expect(read(changed(126, 0x4d, 0x49))).rejects.toThrow(/byte 124: expected the version and byte order/);
    await expect(read(Buffer.concat([Buffer.from('MATLAB 7.3'), Buffer.alloc(200)]))).rejects.toThrow(
      /save it with -v7/,
    );
    await expect(read(plain, { ...svhnCounts, train: 6 })).rejects.toThrow(
      /expected 32×32×3×6 bytes of 'X', found 32×32×3×5/,
    );
    await expect(read(changed(plain.length - 3, 0x2c))).rejects.toThrow(/expected labels from 1 to 10 in 'y'/);
    const compressed = fixtureBytes('train_32x32.mat');
    const flipped = Buffer.from(compressed);
    flipped[600] = (flipped[600] ?? 0) ^ 0xff;
    await expect(read(flipped)).rejects.toThrow(/compressed variable at byte 128, byte \d+: expected/);
    rmSync(join(folder, 'train_32x32.mat'));
    await expect(svhn({ folder })).rejects.toThrow(/train_32x32\.mat was not found.*localgrad data fetch svhn/);
  });

  it('Python version: rejects other classes, truncation and trailing bytes', async () => {
    const content = gunzipSync(fixtureBytes('cifar10-python-2.tar.gz'));
    const read = (bytes: Buffer) => {
      rmSync(join(folder, 'cifar-10-binary.tar.gz'), { force: true });
      writeFileSync(join(folder, 'cifar-10-python.tar.gz'), bytes);
      return readCifar('cifar10', folder, 10);
    };
    const replaced = (from: string, to: string) => {
      const changed = Buffer.from(content);
      changed.write(to, changed.indexOf(from), 'latin1');
      return changed;
    };
    const changedByte = (at: number, byte: number) => Buffer.from(content).fill(byte, at, at + 1);
    await expect(read(replaced('_codecs\nencode', 'builtins\nevals'))).rejects.toThrow(
      /test_batch, byte \d+: expected plain data and numpy arrays, found an object of 'builtins\.evals'/,
    );
    await expect(read(replaced('u1', 'u2'))).rejects.toThrow(/found 3072|expected \d+ bytes of a numpy array/);
    await expect(read(changedByte(content.indexOf(0x80) + 1, 9))).rejects.toThrow(
      /byte 1: expected a pickle of protocol 5/,
    );
    await expect(read(replaced('data', 'dat_'))).rejects.toThrow(/expected a dictionary with 'data', found none/);
  });
});
