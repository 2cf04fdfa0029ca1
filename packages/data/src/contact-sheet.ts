import { rejectUnknownKeys, requireOption } from '@localgrad/core';
import type { ImageDataset } from './dataset.js';
import type { ByteImage } from './png.js';

export interface ContactSheetOptions {
  /** Images per class. Default 10. */
  readonly columns?: number;
  /** Number of classes. Default 20. */
  readonly rows?: number;
}

const gap = 2;
const background = 0x80;
/** Minimum side of an image; smaller ones are enlarged by an integer factor. */
const smallestSide = 48;

/** Draws the first images of each class on gray, one row per class; without labels, the first images row by row. */
export function contactSheet(dataset: ImageDataset, options: ContactSheetOptions = {}): ByteImage {
  rejectUnknownKeys('contactSheet', options, ['columns', 'rows']);
  const { columns = 10, rows = 20 } = options;
  for (const [name, value] of Object.entries({ columns, rows })) {
    requireOption(
      Number.isInteger(value) && value >= 1 && value <= 100,
      'contactSheet',
      name,
      value,
      'integers from 1 to 100',
    );
  }
  const [height, width, channels] = dataset.imageShape;
  const scale = Math.max(1, Math.ceil(smallestSide / Math.min(height, width)));
  const isLabeled = dataset.labels.length > 0;
  const shown = Math.min(rows, isLabeled ? dataset.classes.length : Math.ceil(dataset.size / columns));
  const sheet = {
    height: gap + shown * (height * scale + gap),
    width: gap + columns * (width * scale + gap),
    channels: channels === 1 ? 1 : 3,
  } as const;
  const bytes = new Uint8Array(sheet.height * sheet.width * sheet.channels).fill(background);
  const placed = new Array<number>(shown).fill(0);
  for (let index = 0; index < dataset.size; index++) {
    const row = dataset.labels[index] ?? Math.floor(index / columns);
    const column = placed[row] ?? columns;
    if (column >= columns) continue;
    placed[row] = column + 1;
    const top = gap + row * (height * scale + gap);
    const left = gap + column * (width * scale + gap);
    draw(dataset, index, { ...sheet, bytes }, top, left, scale);
  }
  return { ...sheet, bytes };
}

function draw(dataset: ImageDataset, index: number, sheet: ByteImage, top: number, left: number, scale: number): void {
  const [height, width, channels] = dataset.imageShape;
  const start = index * height * width * channels;
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const from = start + (Math.floor(y / scale) * width + Math.floor(x / scale)) * channels;
      const to = ((top + y) * sheet.width + left + x) * sheet.channels;
      for (let channel = 0; channel < sheet.channels; channel++) {
        sheet.bytes[to + channel] = dataset.images[from + Math.min(channel, channels - 1)] ?? 0;
      }
    }
  }
}
