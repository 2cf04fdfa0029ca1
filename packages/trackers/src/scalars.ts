import type { TrainingEvent } from '@localgrad/train';

/** A number at a step of the run. */
export interface Scalar {
  /** `loss/<objective>`, `terms/<objective>/<term>`, `learning-rate`, `test/accuracy`, `epoch/seconds`, … */
  readonly tag: string;
  readonly value: number;
}

/**
 * What trackers show of an event. Rates are shown where losses were read: a point per step would hide what matters under
 * files that grow with it.
 */
export function scalarsOf(event: TrainingEvent): Scalar[] {
  if (event.type === 'step-end' && event.losses !== undefined) {
    return [
      ...tagged('loss', event.losses),
      ...tagged('terms', event.terms ?? {}),
      { tag: 'learning-rate', value: event.learningRate },
    ];
  }
  if (event.type === 'evaluation-end') return tagged('test', event.metrics);
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
