import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { type Declared, writeParquet } from './parquet.fixture.js';
import { parquetFolder } from './parquet.js';

const folder = mkdtempSync(join(tmpdir(), 'localgrad-parquet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(declared: Declared) {
  writeFileSync(join(folder, 'train-0.parquet'), writeParquet(declared));
  writeFileSync(join(folder, 'test-0.parquet'), writeParquet());
  return parquetFolder({ folder });
}

it('reads a file that declares what it contains', async () => {
  const { train } = await read({});
  expect([...train.labels]).toEqual([0, 1]);
  expect(await train.read(1)).toEqual(Uint8Array.of(5, 6, 7, 8));
});

it.each<[string, Declared]>([
  ['missing values', { levelRun: 2 }],
  ['gzip', { codec: 2 }],
  ['Brotli', { codec: 4 }],
])('reads images with %s', async (_, declared) => {
  const plain = Buffer.from([4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5, 6, 7, 8]);
  const content = declared.codec === 2 ? gzipSync(plain) : declared.codec === 4 ? brotliCompressSync(plain) : plain;
  // As labels, the first bytes are 4 and 1.
  const { train } = await read({ ...declared, content, ...(declared.codec === undefined ? {} : { pageBytes: 16 }) });
  expect(await train.read(1)).toEqual(Uint8Array.of(5, 6, 7, 8));
  expect([...train.labels]).toEqual([4, 1]);
});

it('rejects labels of a billion classes', async () => {
  const content = Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 64, 4, 0, 0, 0, 5, 6, 7, 8);
  await expect(read({ content })).rejects.toThrow(/row 1: expected a label below 131072, found 1073741824/);
});

const zeros = Buffer.alloc(2 ** 27);
/** A frame with a run of 2 MiB in each block of four bytes. */
const zstandardBlocks = Array.from({ length: 100 }, (_, index) => [2 + Number(index === 99), 0, 0x100 - 1, 0]);
const zstandard = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, ...zstandardBlocks.flat()]);

it.each<[string, Declared, RegExp]>([
  ['a run of a billion levels', { levelRun: 2 ** 30 }, /found a run of 1073741824 values in a page of 2 values/],
  [
    'a run of a billion values',
    { encoding: 8, content: Uint8Array.of(1, 0x80, 0x80, 0x80, 0x80, 0x08, 0) },
    /found a run of 1073741824 values in a page of 2 values/,
  ],
  [
    'a run of a billion groups of values',
    { encoding: 2, content: Uint8Array.of(1, 0x81, 0x80, 0x80, 0x80, 0x04, 0) },
    /found a run of 4294967296 values in a page of 2 values/,
  ],
  [
    'a billion miniblocks in a block',
    { encoding: 5, content: Uint8Array.of(0, 0x80, 0x80, 0x80, 0x80, 0x04, 2, 0) },
    /found 1073741824 miniblocks in a block of a page/,
  ],
  ['an encoding that repeats earlier values', { encoding: 7 }, /found values in encoding 7; write them as PLAIN/],
  ['an encoding of split bytes', { encoding: 9 }, /found values in encoding 9; write them as PLAIN/],
  ['columns of lists', { repetition: 2 }, /found a column 'image' of lists/],
  [
    'a gzip page that expands to more than it declares',
    { codec: 2, pageBytes: 100, content: gzipSync(zeros) },
    /expected a Parquet file, found 'Cannot create a Buffer larger than 100 bytes'/,
  ],
  [
    'a Brotli page that expands to more than it declares',
    {
      codec: 4,
      pageBytes: 100,
      content: brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
    },
    /expected a Parquet file, found 'Cannot create a Buffer larger than 100 bytes'/,
  ],
  [
    'a Zstandard page that expands to more than it declares',
    { codec: 6, pageBytes: 100, content: zstandard },
    /found a Zstandard page that expands to more than 100 bytes/,
  ],
  ['more rows than bytes', { rows: 1e12 }, /found 1000000000000 rows in \d+ bytes/],
  ['fewer than no rows', { rows: -1 }, /found -1 as the number of rows/],
  [
    'a page of more values than rows',
    { pageValues: 2 ** 31 - 1 },
    /found a page of 2147483647 values in a row group of 2 rows/,
  ],
  ['an uncompressed page of gigabytes', { pageBytes: 2 ** 31 - 1 }, /found pages that expand to more than 100 times/],
  [
    'a Snappy page of gigabytes',
    { pageBytes: 2 ** 32 - 1, codec: 1 },
    /found pages that expand to more than 100 times/,
  ],
  ['a gzip page of gigabytes', { pageBytes: 2 ** 32 - 1, codec: 2 }, /found pages that expand to more than 100 times/],
  [
    'a Zstandard page of gigabytes',
    { pageBytes: 2 ** 32 - 1, codec: 6 },
    /found pages that expand to more than 100 times/,
  ],
  [
    'a Snappy page with other content',
    { pageBytes: 1000, codec: 1 },
    /train-0\.parquet: expected a Parquet file, found/,
  ],
  ['row groups that repeat', { rowGroups: 20 }, /found row groups or columns that share bytes/],
  ['a list of millions of row groups', { listSize: 50_000_000 }, /found a list of 50000000 entries in \d+ bytes/],
  ['a schema of deeply nested columns', { nesting: 5000 }, /found columns nested in more than 32 levels/],
  [
    'a schema with millions of columns',
    { children: 2 ** 31 - 1 },
    /found a column of 2147483647 columns in a schema of 3/,
  ],
  [
    'a footer that is longer than the file',
    { footerBytes: 2 ** 32 - 1 },
    /found a footer of 4294967295 bytes in a file/,
  ],
])('rejects %s', async (_, declared, message) => {
  await expect(read(declared)).rejects.toThrow(message);
});
