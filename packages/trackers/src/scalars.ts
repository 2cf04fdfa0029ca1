import type { TrainingEvent } from '@localgrad/train';

/** A number logged at a step of the run. */
export interface Scalar {
  /** `loss/<objective>`, `terms/<objective>/<term>`, `learning-rate`, `test/accuracy`, `epoch/seconds`, … */
  readonly tag: string;
  readonly value: number;
}

/**
 * Scalars that trackers log for an event. Learning rates are logged only at steps whose losses are read; a point per step
 * would make files large.
 */
export function scalarsOf(event: TrainingEvent): Scalar[] {
  if (event.type === 'step-end' && event.losses !== undefined) {
    return [
      ...tagged('loss', event.losses),
      ...tagged('terms', event.terms ?? {}),
      { tag: 'learning-rate', value: event.learningRate },
    ];
  }
  if (event.type === 'evaluation-end') return tagged(event.set, event.metrics);
  if (event.type === 'epoch-end') {
    return tagged('epoch', {
      seconds: event.seconds,
      'images-per-second': event.imagesPerSecond,
      'peak-bytes': event.peakBytes,
    });
  }
  return [];
}

function tagged(group: string, values: Readonly<Record<string, number>>): Scalar[] {
  return Object.entries(values).map(([name, value]) => ({ tag: `${group}/${name}`, value }));
}
