import type { Shape4 } from '@localgrad/kernels';
import type { Condition, KernelPool } from '../pool/pool.js';
import { maximumPieces } from '../pool/worker.js';
import { pieces } from './context.js';

/** Maximum number of pieces of a batch: enough to balance threads, few enough to be worth a call each. */
const PIECES = 32;
/** Target size of the images that a thread copies at a time: they stay in the second-level cache. */
const COPY_FLOATS = 65_536;

/** A batch in pieces whose images a thread copies to its scratch memory. */
export interface ImageCopies {
  readonly images: ReturnType<typeof pieces>;
  /** Of the images of a piece. */
  readonly bytes: number;
}

/** @param least images of a piece, if there are so many */
export function imageCopies(shape: Shape4, least: number): ImageCopies {
  const [batch] = shape;
  const size = Math.min(batch, Math.max(least, Math.min(Math.ceil(batch / PIECES), imagesPerCopy(shape))));
  return { images: pieces(batch, Math.ceil(batch / size), size), bytes: size * imageBytes(shape) };
}

/** Bytes of the images of a batch that are copied at a time. */
export function copyBytesOf(shape: Shape4): number {
  return Math.min(shape[0], imagesPerCopy(shape)) * imageBytes(shape);
}

function imagesPerCopy([, height, width, channels]: Shape4): number {
  return Math.max(1, Math.floor(COPY_FLOATS / (height * width * channels)));
}

function imageBytes([, height, width, channels]: Shape4): number {
  return 4 * height * width * channels;
}

/** Runs a kernel on all pieces, however many. */
export function runCopies(
  pool: KernelPool,
  kernel: string,
  count: number,
  argumentsOf: (piece: number) => readonly number[],
  condition?: Condition,
): void {
  for (let first = 0; first < count; first += maximumPieces) {
    pool.run(
      kernel,
      Math.min(maximumPieces, count - first),
      (piece) => argumentsOf(first + piece),
      condition && { ...condition, pointer: condition.pointer + condition.step * first },
    );
  }
}
