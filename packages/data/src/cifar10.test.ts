import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cifar10, readCifar10 } from './cifar10.js';

const RECORD = 3073;
const names = [...[1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`), 'test_batch.bin'];

describe('CIFAR-10', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-cifar-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);

  /** Pixel p is (p, 100 + p, 200 − p) modulo 256. */
  function record(label: number): Buffer {
    const plane = (value: (pixel: number) => number) =>
      Buffer.from(Array.from({ length: 1024 }, (_, p) => value(p) & 255));
    return Buffer.concat([Buffer.from([label]), plane((p) => p), plane((p) => 100 + p), plane((p) => 200 - p)]);
  }
  const writeAll = () => {
    for (const [index, name] of names.entries()) {
      writeFileSync(path(name), Buffer.concat([record(index), record(9 - index)]));
    }
  };

  it('reads the files in order, with channels last', async () => {
    writeAll();
    const { train, test, config } = await readCifar10(folder, 2);
    expect(config).toEqual({ dataset: 'cifar10' });
    expect([...train.labels]).toEqual([0, 9, 1, 8, 2, 7, 3, 6, 4, 5]);
    expect([...test.labels]).toEqual([5, 4]);
    expect(test.imageShape).toEqual([32, 32, 3]);
    const second = test.images.subarray(3072);
    expect([...second.subarray(0, 6)]).toEqual([0, 100, 200, 1, 101, 199]);
    // Row 3, column 5: pixel 101.
    expect([...second.subarray(3 * 101, 3 * 102)]).toEqual([101, 201, 99]);
  });

  it('reports file, offset and expected content of corrupt files, and where to download them', async () => {
    const damage: [number, Buffer, RegExp][] = [
      [
        2,
        record(3).subarray(0, 100),
        /data_batch_3.bin, byte 100: expected 6146 bytes: 2 records.*found 100.*truncated/,
      ],
      // Truncated between two records, which only the record count reveals.
      [5, record(3), /test_batch.bin, byte 3073: expected 6146 bytes.*found 3073: the file is truncated/],
      [0, Buffer.concat([record(1), record(1), Buffer.alloc(7)]), /data_batch_1.bin, byte 6146: .*end.*7 more bytes/],
      [4, Buffer.concat([record(1), record(11)]), /data_batch_5.bin, byte 3073: expected a label below 10, found 11/],
    ];
    for (const [index, content, message] of damage) {
      writeAll();
      writeFileSync(path(names[index] as string), content);
      await expect(readCifar10(folder, 2)).rejects.toThrow(message);
      await expect(readCifar10(folder, 2)).rejects.toThrow(/University of Toronto/);
      await expect(readCifar10(folder, 2)).rejects.toMatchObject({ code: 'invalid-data' });
    }
    await expect(cifar10({ foldr: folder } as never)).rejects.toThrow(/Did you mean 'folder'/);
    rmSync(path('data_batch_3.bin'));
    await expect(readCifar10(folder, 2)).rejects.toMatchObject({ code: 'missing-dependency' });
  });

  it('requires exactly 50,000 and 10,000 images', async () => {
    for (const name of names) {
      const file = openSync(path(name), 'w');
      writeSync(file, record(7), 0, RECORD, 9_999 * RECORD);
      closeSync(file);
    }
    const { train, test } = await cifar10({ folder });
    expect([train.size, test.size]).toEqual([50_000, 10_000]);
    expect([train.labels[0], train.labels[9_999], test.labels[9_999]]).toEqual([0, 7, 7]);
    expect([...train.images.subarray(-3)]).toEqual([1023 & 255, 1123 & 255, -823 & 255]);
    truncateSync(path('data_batch_4.bin'), 9_999 * RECORD);
    await expect(cifar10({ folder })).rejects.toThrow(/data_batch_4.bin, byte 30726927: expected 30730000 bytes/);
  });
});
