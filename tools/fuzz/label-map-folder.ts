import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePng } from '@localgrad/data';
import { createRandom } from '@localgrad/nn/random';

/** Numbers of images of each part. */
const parts = { train: 60, test: 20 };

/** Writes random images of different sizes, with label maps of three classes; some have few labeled pixels, and some none. */
export async function writeLabelMaps(folder: string): Promise<void> {
  const random = createRandom(1, 'label maps');
  for (const [part, count] of Object.entries(parts)) {
    for (const kind of ['images', 'masks']) mkdirSync(join(folder, kind, part), { recursive: true });
    for (let index = 0; index < count; index++) {
      const [height, width] = [8 + random.integer(16), 8 + random.integer(16)];
      const unlabeled = [0, 0, 0.3, 0.9, 1][random.integer(5)] ?? 0;
      const values = Uint8Array.from({ length: height * width }, (_, pixel) =>
        random.uniform() < unlabeled ? 255 : Math.floor((3 * (pixel % width)) / width),
      );
      const colors = Uint8Array.from({ length: 3 * values.length }, (_, at) =>
        Math.min(255, 60 * (values[Math.floor(at / 3)] ?? 0) + random.integer(60)),
      );
      for (const [kind, bytes, channels] of [
        ['images', colors, 3],
        ['masks', values, 1],
      ] as const) {
        writeFileSync(join(folder, kind, part, `${index}.png`), await encodePng({ height, width, channels, bytes }));
      }
    }
  }
  writeFileSync(join(folder, 'classes.txt'), 'left\nmiddle\nright\n');
}
