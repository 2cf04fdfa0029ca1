import type { OwnImages } from '../worker/protocol.js';
import type { Picture } from './read-folder.js';

/** Fraction of each class that is tested on, if the folder has no folders `train` and `test`. */
const heldOut = 0.2;
const fewest = 10;

/**
 * Decodes pictures to squares of `size` pixels, cut from their centers. The innermost folder of a picture is its class.
 *
 * @param onProgress called with the number of decoded pictures
 * @throws Error if there are fewer than two classes, or too few pictures
 */
export async function decodePictures(
  pictures: readonly Picture[],
  size: number,
  onProgress: (done: number) => void,
): Promise<OwnImages> {
  const classes = [...new Set(pictures.map(classOf))].sort((a, b) => a.localeCompare(b, 'en'));
  if (pictures.length < fewest || classes.length < 2) {
    throw new Error(
      `Found ${pictures.length} pictures in ${classes.length} folders. Drop a folder that contains one folder per class, with at least ${fewest} pictures in all.`,
    );
  }
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser cannot draw pictures.');
  const parts = { train: new Part(), test: new Part() };
  const isSplit = ['train', 'test'].every((name) => pictures.some(({ folders }) => folders.includes(name)));
  const seen = new Map<string, number>();
  for (const [index, picture] of [...pictures].sort(byPath).entries()) {
    const name = classOf(picture);
    const order = seen.get(name) ?? 0;
    seen.set(name, order + 1);
    const isTest = isSplit ? picture.folders.includes('test') : order % Math.round(1 / heldOut) === 0;
    const bytes = await pixelsOf(picture.file, context, size).catch(() => undefined);
    // Files that cannot be decoded are left out.
    if (bytes !== undefined) (isTest ? parts.test : parts.train).add(bytes, classes.indexOf(name));
    if (index % 20 === 19) onProgress(index + 1);
  }
  const [name = 'pictures'] = pictures[0]?.folders ?? [];
  return { name, classes, size, train: parts.train.joined(), test: parts.test.joined() };
}

class Part {
  readonly #images: Uint8Array[] = [];
  readonly #labels: number[] = [];

  add(image: Uint8Array, label: number): void {
    this.#images.push(image);
    this.#labels.push(label);
  }

  joined(): OwnImages['train'] {
    const length = this.#images[0]?.length ?? 0;
    const images = new Uint8Array(length * this.#images.length);
    for (const [index, image] of this.#images.entries()) images.set(image, index * length);
    return { images, labels: Int32Array.from(this.#labels) };
  }
}

function classOf({ folders }: Picture): string {
  return folders.at(-1) ?? '';
}

function byPath(a: Picture, b: Picture): number {
  const path = ({ folders, file }: Picture) => [...folders, file.name].join('/');
  return path(a).localeCompare(path(b), 'en');
}

async function pixelsOf(file: File, context: OffscreenCanvasRenderingContext2D, size: number): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file);
  const side = Math.min(bitmap.width, bitmap.height);
  context.fillStyle = 'white';
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
  bitmap.close();
  const { data } = context.getImageData(0, 0, size, size);
  return Uint8Array.from({ length: 3 * size * size }, (_, index) => data[Math.floor(index / 3) * 4 + (index % 3)] ?? 0);
}
