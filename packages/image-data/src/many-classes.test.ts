import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { EncodedImages } from './encoded-images.js';
import { fixture } from './images.fixture.js';
import { loadImages } from './load-images.js';

it('loadImages keeps the labels of a thousand classes', async () => {
  const content = readFileSync(fixture('folder', 'cat', 'color.png'));
  const source: EncodedImages = {
    name: 'many',
    classes: Array.from({ length: 1000 }, (_, index) => `class ${index}`),
    size: 3,
    labels: Int32Array.of(0, 256, 999),
    read: async () => content,
    locate: (index) => `image ${index}`,
  };
  expect([...(await loadImages(source, { size: 4 })).labels]).toEqual([0, 256, 999]);
});
