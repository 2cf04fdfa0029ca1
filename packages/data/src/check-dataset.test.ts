import { describe, expect, it } from 'vitest';
import { checkDataset, checkSplits } from './check-dataset.js';
import type { ImageDataset } from './dataset.js';

const whole: ImageDataset = {
  name: 'mine',
  classes: ['cat', 'dog', 'owl'],
  imageShape: [2, 2, 1],
  size: 2,
  images: new Uint8Array(8),
  labels: new Uint8Array([0, 2]),
};
const target = { shape: [], values: new Float32Array(2) };

describe('checkDataset', () => {
  it('accepts consistent data sets, also without labels or classes', () => {
    expect(() => checkDataset({ ...whole, targets: { age: target } })).not.toThrow();
    const unlabeled = { ...whole, classes: [], labels: new Uint8Array(0), targets: { age: target } };
    expect(() => checkDataset(unlabeled)).not.toThrow();
  });

  it.each<[string, object, string]>([
    [
      'two classes of one name',
      { classes: ['cat', 'dog', 'cat'] },
      "Data set 'mine': expected a different name for each class in 'classes', found 'cat' for classes 0 and 2.",
    ],
    ['a class without a name', { classes: ['cat', '', 'owl'] }, "expected names in 'classes', found '' for class 1."],
    ['numbers as names', { classes: [0, 1, 2] }, "expected names in 'classes', found 0 for class 0."],
    ['no shape', { imageShape: undefined }, "Data set 'mine' lacks 'imageShape' (list)."],
    ['no name', { name: undefined }, "A data set lacks 'name' (string)."],
    ['floats', { images: new Float32Array(8) }, "has 'images' of type Float32Array; expected a Uint8Array"],
    ['a list of labels', { labels: [0, 2] }, "has 'labels' of type Array; expected a Uint8Array, Uint16Array or"],
    ['a promise of images', { images: Promise.resolve() }, "Data set 'mine' has a Promise as 'images'; await it."],
    ['a target without values', { targets: { age: { shape: [] } } }, "target 'age' lacks 'values' (object)."],
    [
      'a list of values',
      { targets: { age: { ...target, values: [1, 2] } } },
      "target 'age' has 'values' of type Array",
    ],
  ])('rejects %s', (_, change, message) => {
    expect(() => checkDataset({ ...whole, ...change } as ImageDataset)).toThrow(message);
  });

  it('rejects values that are no data sets', () => {
    expect(() => checkDataset(undefined as never)).toThrow('A data set is undefined');
  });
});

describe('checkSplits', () => {
  it.each<[string, object, string]>([
    [
      'other classes',
      { classes: ['dog', 'cat', 'owl'] },
      "Data set 'mine': training and test images must have the same classes in the same order; found 'cat' and 'dog' as class 0.",
    ],
    ['more classes', { classes: ['cat', 'dog', 'owl', 'yak'] }, 'the same classes; found 3 and 4.'],
    ['another size', { imageShape: [4, 1, 1] }, 'the same shape; found 2×2×1 and 4×1×1.'],
    ['a list of labels', { labels: [0, 2] }, "has 'labels' of type Array"],
  ])('rejects test images with %s', (_, change, message) => {
    expect(() => checkSplits({ train: whole, test: whole })).not.toThrow();
    expect(() => checkSplits({ train: whole, test: { ...whole, ...change } as ImageDataset })).toThrow(message);
  });

  it('accepts images with label maps of any height and width', () => {
    const maps = { ...whole, labels: new Uint8Array(0), targets: { age: target } };
    expect(() => checkSplits({ train: maps, test: { ...maps, imageShape: [4, 1, 1] } })).not.toThrow();
    const colored = { ...maps, imageShape: [2, 1, 2] as const };
    expect(() => checkSplits({ train: maps, test: colored })).toThrow('the same shape');
  });
});
