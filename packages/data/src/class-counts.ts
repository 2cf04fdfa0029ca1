import type { ImageDataset } from './dataset.js';

export interface ClassCount {
  readonly name: string;
  readonly count: number;
}

/** Number of images of each class; empty for a data set without labels. */
export function classCounts({ classes, labels }: Pick<ImageDataset, 'classes' | 'labels'>): readonly ClassCount[] {
  if (labels.length === 0) return [];
  const counts = classes.map(() => 0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return classes.map((name, label) => ({ name, count: counts[label] ?? 0 }));
}
