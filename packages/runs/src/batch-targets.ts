import type { Backbone, Targets } from '@localgrad/core';
import type { ImageDataset } from '@localgrad/data';
import type { CompileOptions } from '@localgrad/engine';
import { type Rank, zeros } from '@tensorflow/tfjs';

/** The images and targets that a plan is built for. */
export interface PlanImages
  extends Pick<ImageDataset, 'imageShape'>,
    Partial<Pick<ImageDataset, 'labels' | 'targets'>> {
  /** The classes, or their number. */
  readonly classes: readonly string[] | number;
}

/**
 * Targets in the batches of a data set, for `compilePlan`. Where nothing is known of the data set, they are what the backbone needs:
 * label maps, or labels.
 */
export function targetsOf(
  images: PlanImages,
  { classifier }: Pick<Backbone, 'classifier'>,
): Pick<CompileOptions, 'targets' | 'createTargets'> {
  const { imageShape, labels, targets: named } = images;
  if (labels === undefined) {
    if (classifier.reads?.includes('masks') !== true) return {};
    const [height, width] = imageShape;
    return {
      createTargets: (batchSize) => ({
        images: zeros<Rank.R4>([batchSize, ...imageShape]),
        masks: zeros([batchSize, height, width], 'int32'),
      }),
    };
  }
  const hasLabels = labels.length > 0;
  // Batches contain plain images where a loss reads them.
  const targets = ['images', ...(hasLabels ? ['labels'] : []), ...Object.keys(named ?? {})];
  if (named === undefined) return { targets };
  const createTargets = (batchSize: number): Targets => ({
    images: zeros<Rank.R4>([batchSize, ...imageShape]),
    ...(hasLabels ? { labels: zeros<Rank.R1>([batchSize], 'int32') } : {}),
    ...Object.fromEntries(
      Object.entries(named).map(([name, { shape, values }]) => [
        name,
        zeros([batchSize, ...shape], values instanceof Float32Array ? 'float32' : 'int32'),
      ]),
    ),
  });
  return { targets, createTargets };
}

/** A backbone always has a classifier; one without classes has a single output, which other tasks replace. */
export function outputsOf({ classes }: PlanImages): number {
  return Math.max(1, typeof classes === 'number' ? classes : classes.length);
}
