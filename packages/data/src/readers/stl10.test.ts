import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { fixtureBytes } from './readers.fixture.js';
import { readStl10 } from './stl10.js';

const counts = { train: 6, test: 4, fold: 2 };
/** Where the files of the fixture start in the archive, after their headers. */
const at = { trainImages: 512, trainLabels: 166_912, classNames: 280_064, folds: 281_088 };

describe('damaged archives of STL-10', () => {
  const folder = mkdtempSync(join(tmpdir(), 'localgrad-stl10-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const tar = gunzipSync(fixtureBytes('stl10_binary.tar.gz'));
  const read = (content: Uint8Array, sizes = counts) => {
    writeFileSync(join(folder, 'stl10_binary.tar.gz'), content);
    return readStl10({ folder, fold: 1 }, sizes);
  };
  const changed = (offset: number, text: string) => {
    const copy = Buffer.from(tar);
    copy.write(text, offset, 'latin1');
    return gzipSync(copy);
  };

  it.each<[string, Uint8Array, RegExp]>([
    [
      'truncated in the images',
      gzipSync(tar.subarray(0, 100_000)),
      /byte 100000: expected 165888 bytes of .*truncated/,
    ],
    [
      'truncated between files',
      gzipSync(tar.subarray(0, 166_400)),
      /byte 166400: expected another file or the end mark/,
    ],
    ['a flipped bit in a header', changed(3, '\x41'), /byte 0: expected a tar header with checksum/],
    ['no tar archive', gzipSync(Buffer.alloc(4096, 0x55)), /byte 0: expected a tar header/],
    ['no gzip stream', Buffer.from(tar.subarray(0, 4096)), /stl10_binary\.tar\.gz, byte \d+: expected/],
    ['a label of 0', changed(at.trainLabels + 2, '\0'), /train_y\.bin, byte 2: expected a label from 1 to 10, found 0/],
    [
      'nine names of classes',
      changed(at.classNames, 'airplane '),
      /class_names\.txt, byte 0: expected 10 names.*found 9/,
    ],
    [
      'an index beyond the images',
      changed(at.folds, '9'),
      /fold_indices\.txt, byte 0: expected 2 indices below 6 in fold 0/,
    ],
  ])('with %s: an error names file, offset and expectation', async (_, content, message) => {
    const reading = read(content);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(/localgrad data fetch stl10/);
    await expect(reading).rejects.toMatchObject({ code: 'invalid-data' });
  });

  it('with another number of images', async () => {
    await expect(read(gzipSync(tar), { ...counts, train: 7 })).rejects.toThrow(
      /train_X\.bin, byte 165888: expected 193536 bytes: 7 images of 3×96×96, found 165888/,
    );
  });
});
