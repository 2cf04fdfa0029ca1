import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

it.each<[string, Declared, RegExp]>([
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
