import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cifar10 } from './cifar10.js';

describe("a folder without CIFAR-10's binary files", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'localgrad-cifar-folder-'));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** Creates a folder with these files, a few bytes each. */
  function folderOf(...files: string[]): string {
    const folder = mkdtempSync(join(root, 'folder-'));
    for (const file of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), 'abc');
    }
    return folder;
  }

  it.each<[string, string[], RegExp]>([
    [
      'the archive',
      ['cifar-10-binary.tar.gz'],
      /contains the archive 'cifar-10-binary\.tar\.gz'.*Run: tar -xf '.*' -C '.*'/,
    ],
    [
      'the Python version',
      ['data_batch_1', 'test_batch'],
      /contains the Python version of CIFAR-10; the binary version is required.*cifar-10-binary\.tar\.gz/,
    ],
    ['the Python archive', ['cifar-10-python.tar.gz'], /the Python version/],
    ['the Python folder', ['cifar-10-batches-py/data_batch_1'], /the Python version/],
    ['the Matlab version', ['data_batch_1.mat'], /the Matlab version/],
    ['CIFAR-100', ['train.bin', 'test.bin', 'fine_label_names.txt'], /contains CIFAR-100; CIFAR-10 is required/],
    ["CIFAR-100's folder", ['cifar-100-binary/train.bin'], /contains CIFAR-100/],
    ['images', ['0001.jpg'], /contains image files/],
    ['images by class', ['airplane/0001.png'], /contains image files/],
    ['images by split and class', ['test/airplane/0001.png', 'train/airplane/0001.png'], /contains image files/],
    [
      'the files in another folder',
      ['data/data_batch_1.bin'],
      /contains CIFAR-10 in a subfolder.*Use that folder: '.*data'/,
    ],
    ['something else', ['readme.txt'], /data_batch_1\.bin was not found: folder '.*' contains 'readme\.txt'/],
    ['nothing', [], /folder '.*' is empty/],
  ])('is reported with its contents and the command to run: %s', async (_, files, message) => {
    const folder = folderOf(...files);
    await expect(cifar10({ folder })).rejects.toThrow(message);
    await expect(cifar10({ folder })).rejects.toMatchObject({ code: 'missing-dependency' });
  });

  it('is reported as missing, or as a file', async () => {
    await expect(cifar10({ folder: join(root, 'nowhere') })).rejects.toThrow(/Folder '.*nowhere' does not exist/);
    const folder = folderOf('cifar-10-binary.tar.gz');
    await expect(cifar10({ folder: join(folder, 'cifar-10-binary.tar.gz') })).rejects.toThrow(/is a file;.*tar -xf/);
  });

  it('is reported without system error codes if a file is a folder', async () => {
    const folder = folderOf('data_batch_1.bin/x', 'data_batch_2.bin', 'data_batch_3.bin', 'test_batch.bin');
    await expect(cifar10({ folder })).rejects.toThrow(
      /data_batch_1\.bin cannot be read: it is a folder; a file is required\. Run: localgrad data fetch cifar10/,
    );
    const nested = folderOf('cifar-10-binary.tar.gz/x');
    await expect(cifar10({ folder: nested })).rejects.toThrow(/cifar-10-binary\.tar\.gz/);
  });

  it('is read through the folder of the extracted archive in it', async () => {
    const files = ['test_batch', ...[1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}`)];
    const folder = folderOf(...files.map((name) => `cifar-10-batches-bin/${name}.bin`));
    await expect(cifar10({ folder })).rejects.toThrow(
      /cifar-10-batches-bin\/data_batch_1\.bin, byte 3: expected 30730000 bytes.*truncated/,
    );
  });

  it('is recognized as the Python version, or as CIFAR-100 under the same names', async () => {
    const folder = folderOf('data_batch_1.bin');
    writeFileSync(join(folder, 'data_batch_1.bin'), Uint8Array.of(0x80, 2, 0x7d));
    await expect(cifar10({ folder })).rejects.toThrow(/found a Python pickle, a file of CIFAR-10's Python version/);
    writeFileSync(join(folder, 'data_batch_1.bin'), new Uint8Array(10_000 * 3074));
    await expect(cifar10({ folder })).rejects.toThrow(/records of 3074 bytes, as in CIFAR-100/);
  });
});
