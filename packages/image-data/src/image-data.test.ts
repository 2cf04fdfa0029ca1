import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dataset, isFolderPath, loadNamedOrFolder, openImages } from './dataset.js';
import { createDecoder } from './decode.js';
import { imageHeader } from './formats/image-header.js';
import { centralGeometry } from './geometry.js';
import { imageFolder } from './image-folder.js';
import { expectations, fixture, hashOf } from './images.fixture.js';
import { loadImages } from './load-images.js';
import { inOrder } from './ordered-pool.js';

const root = mkdtempSync(join(tmpdir(), 'localgrad-images-'));
afterAll(() => rmSync(root, { recursive: true }));

/** What PIL makes of the files in fixtures/colors (scripts/color_fixtures.py). */
const colors: {
  readonly converted: Readonly<Record<string, { readonly RGB: readonly number[]; readonly L: readonly number[] }>>;
  readonly sizes: Readonly<Record<string, readonly [number, number]>>;
  readonly enlarged: Readonly<Record<string, readonly number[]>>;
} = JSON.parse(readFileSync(fixture('colors', 'expected.json'), 'utf8'));

describe('createDecoder', () => {
  it.each(Object.keys(expectations.images))('decodes %s to the same pixels as PIL', async (path) => {
    const decode = await createDecoder(3);
    const { height, width, bytes } = await decode(readFileSync(fixture('folder', path)), path);
    expect([height, width, 3]).toEqual(expectations.images[path]?.shape);
    expect(hashOf(bytes)).toBe(expectations.images[path]?.sha256);
    expect(imageHeader(readFileSync(fixture('folder', path)))).toEqual({ height, width, isInk: false });
  });

  it('resizes and crops like PIL, within 4 of 255 and 0.75 on average', async () => {
    const decode = await createDecoder(3);
    const photo = readFileSync(fixture('resize', 'photo.png'));
    const center = await decode(photo, 'photo', centralGeometry(32, 48));
    const region = { left: 20, top: 10, width: 100, height: 77 };
    const part = await decode(photo, 'photo', () => ({ region, resize: [32, 32] }));
    for (const [found, file] of [
      [center, 'center-48-32.bin'],
      [part, 'region-32.bin'],
    ] as const) {
      const expected = readFileSync(fixture('resize', file));
      expect(found.bytes).toHaveLength(expected.length);
      const differences = expected.map((value, index) => Math.abs(value - (found.bytes[index] ?? 0)));
      expect(Math.max(...differences)).toBeLessThanOrEqual(4);
      expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThan(0.75);
    }
  });

  describe('colors', () => {
    it.each(Object.entries(colors.converted))('decodes %s to the colors and grays of PIL', async (name, { RGB, L }) => {
      const content = readFileSync(fixture('colors', name));
      expect([...(await (await createDecoder(3))(content, name)).bytes]).toEqual(RGB);
      expect([...(await (await createDecoder(1))(content, name)).bytes]).toEqual(L);
    });
  });

  it.each(['both', 'height', 'width'])('enlarges to the same pixels as PIL: %s', async (name) => {
    const decode = await createDecoder(3);
    const resize = colors.sizes[name];
    const { bytes } = await decode(readFileSync(fixture('colors', 'noise.png')), name, () => ({
      ...(resize && { resize }),
    }));
    expect([...bytes]).toEqual(colors.enlarged[name]);
  });

  it('enlarges one axis and shrinks the other like PIL, within 16 of 255 on noise', async () => {
    const decode = await createDecoder(3);
    const { bytes } = await decode(readFileSync(fixture('colors', 'noise.png')), 'noise', () => ({ resize: [5, 21] }));
    const differences = [...bytes].map((value, index) => Math.abs(value - (colors.enlarged.mixed?.[index] ?? 0)));
    expect(bytes).toHaveLength(5 * 21 * 3);
    expect(Math.max(...differences)).toBeLessThanOrEqual(16);
  });

  it('crops and flips enlarged images', async () => {
    const decode = await createDecoder(3);
    const crop = { top: 3, left: 2, height: 8, width: 5 };
    const rule = () => ({ resize: [24, 20] as const, crop, flip: true });
    const { bytes } = await decode(readFileSync(fixture('colors', 'noise.png')), 'noise', rule);
    const at = (row: number, column: number) =>
      colors.enlarged.both?.slice((row * 20 + column) * 3, (row * 20 + column + 1) * 3);
    const expected = Array.from({ length: 8 * 5 }, (_, index) => at(3 + Math.floor(index / 5), 2 + 4 - (index % 5)));
    expect([...bytes]).toEqual(expected.flat());
  });

  it('reports the location of an image that cannot be decoded', async () => {
    const decode = await createDecoder(3);
    const jpeg = readFileSync(fixture('folder', 'cat', 'photo.jpg'));
    const cases = [Buffer.from('<html>not found</html>'), jpeg.subarray(0, jpeg.length / 2), Buffer.alloc(0)];
    for (const content of cases) {
      const decoding = decode(content, 'photos/cat/7.jpg', () => ({}));
      await expect(decoding).rejects.toThrow(/^photos\/cat\/7\.jpg: expected an image .*found \d+ bytes/);
      await expect(decoding).rejects.toMatchObject({ code: 'invalid-data' });
    }
  });
});

/** The first bytes of a PNG file. */
function pngHeader(height: number, width: number): Buffer {
  const header = Buffer.from('89504e470d0a1a0a0000000d49484452000000000000000008020000000000000000', 'hex');
  header.writeUInt32BE(width, 16);
  header.writeUInt32BE(height, 20);
  return header;
}

it('rejects an image of billions of pixels by its header', async () => {
  const decode = await createDecoder(3);
  await expect(decode(pngHeader(60_000, 70_000), 'a.png')).rejects.toThrow(
    /^a\.png: its header declares 60000×70000 pixels, more than 268,435,456: the file is damaged/,
  );
  expect(imageHeader(pngHeader(0, 5))).toBeUndefined();
  await expect(decode(pngHeader(0, 5), 'a.png', centralGeometry(32))).rejects.toThrow(/that cannot be decoded: Input/);
});

it.skipIf(process.platform === 'win32')('rejects pipes in the place of images and archives', async () => {
  const folder = mkdtempSync(join(root, 'pipes-'));
  const pipe = (...names: string[]) => {
    mkdirSync(join(folder, ...names, '..'), { recursive: true });
    execFileSync('mkfifo', [join(folder, ...names)]);
  };
  for (const name of ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png']) pipe('classes', name);
  await expect(dataset({ folder: join(folder, 'classes') })).rejects.toThrow(
    /Cannot read '.*png': it is a device, a pipe/,
  );
  pipe('parquet', 'train-0.parquet');
  await expect(openImages({ folder: join(folder, 'parquet') })).rejects.toThrow(
    /expected a Parquet file, found 'it is a dev/,
  );
  for (const name of ['train', 'val']) pipe('imagenet', `ILSVRC2012_img_${name}.tar`);
  await expect(openImages({ folder: join(folder, 'imagenet') })).rejects.toThrow(
    /tar cannot be opened: it is a device/,
  );
});

describe('imageFolder', () => {
  it('holds out images of each class if there is no test folder, the same ones for a seed', async () => {
    const { train, test } = await imageFolder({ folder: fixture('folder'), holdOut: 0.4 });
    expect(train.classes).toEqual(['cat', 'dog']);
    expect([...train.labels, ...test.labels].sort().join('')).toBe('00011111');
    expect([...test.labels]).toEqual([0, 1, 1]);
    const again = await imageFolder({ folder: fixture('folder'), holdOut: 0.4 });
    const names = (images: typeof test) => Array.from({ length: images.size }, (_, index) => images.locate(index));
    expect(names(again.test)).toEqual(names(test));
    expect(new Set([...names(train), ...names(test)]).size).toBe(8);
  });

  it('uses train and val folders, and checks their classes', async () => {
    const folder = join(root, 'split');
    for (const part of ['train', 'val']) cpSync(fixture('folder'), join(folder, part), { recursive: true });
    rmSync(join(folder, 'val', 'cat'), { recursive: true });
    const { train, test } = await openImages({ folder });
    expect([train.size, test.size]).toEqual([8, 5]);
    expect([...test.labels]).toEqual([1, 1, 1, 1, 1]);
    mkdirSync(join(folder, 'val', 'cow'));
    await expect(imageFolder({ folder })).rejects.toThrow(/class 'cow' has no training images\. Allowed: cat, dog/);
  });

  it('reports folders without classes, classes without images, and missing folders', async () => {
    mkdirSync(join(root, 'empty', 'cat'), { recursive: true });
    await expect(imageFolder({ folder: join(root, 'empty') })).rejects.toThrow(/cat contains no images \(\.jpg/);
    await expect(imageFolder({ folder: join(root, 'empty', 'cat') })).rejects.toThrow(/one folder of images per class/);
    cpSync(fixture('folder', 'cat', 'color.png'), join(root, 'single', 'cat', 'color.png'));
    await expect(dataset({ folder: join(root, 'single') })).rejects.toThrow(/no test images: no class has two images/);
    await expect(openImages({ folder: join(root, 'nowhere') })).rejects.toThrow(/There is no folder/);
  });

  it('loads a data set into memory, with the same bits for any number of workers', async () => {
    const load = (workers: number) => dataset({ folder: fixture('folder'), size: 12, workers });
    const [one, four] = [await load(1), await load(4)];
    expect(one.config).toEqual({ dataset: 'images', size: 12 });
    expect(four).toEqual(one);
    expect(one.train.imageShape).toEqual([12, 12, 3]);
    const gray = await dataset({ folder: fixture('folder'), size: 12, channels: 1 });
    expect(gray.test.imageShape).toEqual([12, 12, 1]);
    expect(gray.test.images).toHaveLength(gray.test.size * 144);
    const { train } = await openImages({ folder: fixture('folder') });
    await expect(loadImages(train)).rejects.toThrow(/expected \d+×\d+ pixels, as the first image.*--resize/);
    const automatic = await loadNamedOrFolder(fixture('folder'), { train: 4, channels: 3 });
    expect(automatic.config).toEqual({ dataset: 'images', size: 64, channels: 3, train: 4 });
    expect([automatic.train.size, ...automatic.train.imageShape]).toEqual([4, 64, 64, 3]);
    await expect(loadNamedOrFolder('./photos', { folder: 'x' })).rejects.toThrow(/folder/);
    for (const path of ['./photos', '../photos', '/photos', '.', 'C:\\photos']) expect(isFolderPath(path)).toBe(true);
    for (const name of ['cifar10', '@acme/data', 'acme/data']) expect(isFolderPath(name)).toBe(false);
    await expect(loadNamedOrFolder('photos')).rejects.toThrow(/Unknown data set 'photos'/);
  });
});

describe('parquetFolder', () => {
  it.each(['snappy', 'zstd', 'gzip'])(
    'reads images and labels written by pyarrow with %s compression',
    async (compression) => {
      const { train, test } = await dataset({ folder: fixture(`parquet-${compression}`) });
      expect(train.classes).toEqual(['airplane', 'automobile', 'bird']);
      for (const [part, found] of Object.entries({ train, test })) {
        const expected = expectations.parquet[compression]?.[part as 'train' | 'test'];
        expect([found.size, ...found.imageShape]).toEqual(expected?.shape);
        expect([...found.labels]).toEqual(expected?.labels);
        expect(hashOf(found.images)).toBe(expected?.sha256);
      }
    },
  );

  it('reports damaged files and missing columns by name', async () => {
    const folder = join(root, 'parquet');
    mkdirSync(folder);
    const name = 'train-00000-of-00001.parquet';
    const whole = readFileSync(fixture('parquet-snappy', name));
    const magic = Buffer.from(whole);
    magic.write('ELF0', whole.length - 4);
    for (const content of [whole.subarray(0, whole.length - 100), magic, Buffer.alloc(0), whole.subarray(2000)]) {
      writeFileSync(join(folder, name), content);
      await expect(openImages({ folder })).rejects.toThrow(/train-00000-of-00001\.parquet: expected a Parquet file/);
    }
    writeFileSync(join(folder, name), whole);
    await expect(openImages({ folder, labels: 'coarse' })).rejects.toThrow(
      /expected a column of labels \(coarse\), found columns img, label/,
    );
  });
});

describe('imagenet', () => {
  /** Renames the first file of a tar archive, and corrects the header's checksum. */
  function renamed(content: Buffer, name: string): Buffer {
    content.fill(0, 0, 100).write(name, 0, 'latin1');
    content.fill(0x20, 148, 156);
    const sum = content.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    content.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return content;
  }

  const archives = ['ILSVRC2012_img_train.tar', 'ILSVRC2012_img_val.tar', 'ILSVRC2012_devkit_t12.tar.gz'];

  it('reads images and labels from the archives without unpacking them', async () => {
    const { train, test } = await openImages({ folder: fixture('imagenet') });
    expect(train.classes).toEqual(['n01440764', 'n01443537']);
    expect([...train.labels]).toEqual([0, 0, 1, 1]);
    expect([...test.labels]).toEqual(expectations.imagenet.test);
    expect(test.locate(0)).toMatch(/img_val\.tar: ILSVRC2012_val_00000001\.JPEG$/);
    const decode = await createDecoder(3);
    for (const [index, expected] of expectations.imagenet.train.entries()) {
      expect(train.locate(index)).toContain(expected.name);
      const { bytes } = await decode(await train.read(index), expected.name, () => ({}));
      expect(hashOf(bytes)).toBe(expected.sha256);
    }
  });

  it.each<[string, number, (content: Buffer) => Buffer, RegExp]>([
    ['a truncated training archive', 0, (c) => c.subarray(0, 6000), /img_train\.tar.*, byte \d+: .*truncated/],
    [
      'images instead of archives',
      0,
      () => readFileSync(fixture('imagenet', 'ILSVRC2012_img_val.tar')),
      /expected an archive such as n01440764\.tar/,
    ],
    [
      'too few validation images',
      1,
      (c) => Buffer.concat([c.subarray(0, 1536), Buffer.alloc(1024)]),
      /expected 3 images, one for each label, found 1/,
    ],
    [
      'a flipped bit in the header of a class',
      0,
      (c) => c.fill((c[1] ?? 0) ^ 1, 1, 2),
      /img_train\.tar, byte 0: expected a tar header with checksum \d+, found/,
    ],
    [
      'a validation image that leads out of the archive',
      1,
      (c) => renamed(c, '../../VAL.JPEG'),
      /img_val\.tar, byte 0: expected the name of a file inside the archive, found '\.\.\/\.\.\/VAL\.JPEG', which leads out of it/,
    ],
    ['a damaged development kit', 2, (c) => c.subarray(0, 200), /devkit_t12\.tar\.gz, byte \d+: expected/],
  ])('names file and offset of %s', async (name, archive, change, message) => {
    const folder = join(root, name);
    cpSync(fixture('imagenet'), folder, { recursive: true });
    const path = join(folder, archives[archive] ?? '');
    writeFileSync(path, change(readFileSync(path)));
    await expect(openImages({ folder })).rejects.toThrow(message);
  });
});

describe('inOrder', () => {
  it('yields results in order, with a bounded number in progress or waiting', async () => {
    let running = 0;
    let most = 0;
    let started = 0;
    let taken = 0;
    const results: number[] = [];
    const work = async (index: number) => {
      started++;
      most = Math.max(most, ++running);
      expect(started - taken).toBeLessThanOrEqual(7);
      await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
      running--;
      return index;
    };
    for await (const index of inOrder(40, 3, 6, work)) {
      taken++;
      results.push(index);
    }
    expect(results).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(most).toBe(3);
  });

  it('throws the error of a result when that result is consumed', async () => {
    const fail = async (index: number) => {
      if (index === 2) throw new Error('third');
      return index;
    };
    const taken: number[] = [];
    const run = async () => {
      for await (const index of inOrder(10, 4, 8, fail)) taken.push(index);
    };
    await expect(run()).rejects.toThrow('third');
    expect(taken).toEqual([0, 1]);
  });
});

describe('loadImages', () => {
  it('rejects images that do not fit into memory', async () => {
    const { train } = await openImages({ folder: fixture('folder') });
    const large = { ...train, size: 100_000 };
    await expect(loadImages(large, { size: 224 })).rejects.toThrow(
      /take 14\.0 GiB of memory, more than 4.*createImageBatches/,
    );
  });
});
