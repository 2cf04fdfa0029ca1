import { LocalgradError } from '@localgrad/core';

/** Checks labels. @throws LocalgradError `invalid-data` unless all are integers from 0 to classes − 1 */
export function requireLabels(labels: ArrayLike<number>, classes: number): void {
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index] ?? Number.NaN;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new LocalgradError(
      'invalid-data',
      `The label of sample ${index} of the batch is ${label}, but the network has ${classes} classes: labels are integers from 0 to ${classes - 1}, of type int32.`,
      { index, label, classes },
    );
  }
}
