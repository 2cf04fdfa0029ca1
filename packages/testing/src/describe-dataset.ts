import { checkDataset, createBatches, type DatasetSplits, type ImageDataset, take } from '@localgrad/data';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { defaultTimeout, type SuiteOptions, useBackend } from './suite.js';

export interface DatasetSuiteOptions extends SuiteOptions {
  /** Load it a second time and compare every byte. Default true. */
  readonly repeats?: boolean;
}

/**
 * Contract of a data set: a JSON config, training and test images of equal shape with matching labels and targets,
 * reproducible content, and batches that contain every target.
 */
export function describeDataset(
  name: string,
  load: () => Promise<DatasetSplits>,
  options: DatasetSuiteOptions = {},
): void {
  const { timeout = defaultTimeout, repeats = true } = options;

  describe(`conformance of data set ${name}`, { timeout }, () => {
    useBackend();
    let splits: DatasetSplits;
    beforeAll(async () => {
      splits = await load();
    }, timeout);

    it('has a config that is plain data', () => {
      expect(JSON.parse(JSON.stringify(splits.config))).toEqual(splits.config);
    });

    it('has consistent images, labels and targets', () => {
      for (const part of [splits.train, splits.test]) {
        expect(() => checkDataset(part)).not.toThrow();
        for (const { values } of Object.values(part.targets ?? {})) {
          expect(values.every((value) => Number.isFinite(value))).toBe(true);
        }
      }
    });

    it('has test images with the shape, classes and targets of the training images', () => {
      const kind = ({ classes, imageShape, targets = {}, labels }: ImageDataset) => ({
        classes,
        imageShape,
        isLabeled: labels.length > 0,
        targets: Object.entries(targets).map(([key, { shape, spatial = false }]) => [key, [...shape], spatial]),
      });
      expect(kind(splits.test)).toEqual(kind(splits.train));
    });

    it.runIf(repeats)('has the same content every time it is loaded', async () => {
      const again = await load();
      expect(again.config).toEqual(splits.config);
      for (const part of ['train', 'test'] as const) expect(isSame(again[part], splits[part]), part).toBe(true);
    });

    it('yields batches with every target, equal for equal seeds, and leaks no tensors', async () => {
      const before = tf.memory().numTensors;
      const subset = take(splits.train, Math.min(10, splits.train.size), { seed: 1 });
      const names = [...(subset.labels.length > 0 ? ['labels'] : []), ...Object.keys(subset.targets ?? {})].sort();
      const readings = async () => {
        const all: Float32Array[] = [];
        const batches = createBatches(subset, { batchSize: Math.min(4, subset.size), shuffle: true, seed: 3 });
        for (const batch of batches.epoch(0)) {
          expect(Object.keys(batch.targets).sort()).toEqual(names);
          for (const target of Object.values(batch.targets)) {
            expect(target?.shape[0]).toBe(batch.size);
            if (target !== undefined) all.push(Float32Array.from(await target.data()));
          }
          all.push(Float32Array.from(await batch.images.data()));
          batch.dispose();
        }
        return all;
      };
      expect(await readings()).toEqual(await readings());
      expect(tf.memory().numTensors).toBe(before);
    });
  });
}

/** Compares typed arrays directly, because `toEqual` is slow for large arrays. */
function isSame(a: ImageDataset, b: ImageDataset): boolean {
  const arrays = (one: ImageDataset) => [
    one.images,
    one.labels,
    ...Object.values(one.targets ?? {}).map(({ values }) => values),
  ];
  const others = arrays(b);
  return arrays(a).every((values, index) => {
    const other = others[index];
    return other !== undefined && values.length === other.length && values.every((value, at) => value === other[at]);
  });
}
