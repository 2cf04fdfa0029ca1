import type { PlanImages } from '../batch-targets.js';
import type { RunConfig } from '../config/run-config.js';

/** What the workers of a run build its plan from. */
export interface PartConfig {
  readonly config: RunConfig;
  readonly images: PlanImages;
  /** Folder from which names are resolved. */
  readonly project: string | undefined;
}

/** Shapes, classes and names of targets, without the images, labels and values. */
export function withoutValues({ imageShape, classes, labels, targets }: PlanImages): PlanImages {
  return {
    imageShape,
    classes,
    // One label says that there are labels.
    ...(labels === undefined ? {} : { labels: labels.slice(0, 1) }),
    ...(targets === undefined
      ? {}
      : {
          targets: Object.fromEntries(
            Object.entries(targets).map(([name, target]) => [name, { ...target, values: target.values.slice(0, 0) }]),
          ),
        }),
  };
}
