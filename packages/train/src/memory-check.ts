import { LocalgradError } from '@localgrad/core';
import type { CompiledPlan, PeakPrediction } from '@localgrad/engine';

/**
 * Rejects a batch size that does not fit in memory, before the first step.
 *
 * @param predict default: the plan's prediction for an optimizer with one state value per weight
 * @throws LocalgradError `out-of-memory` with predicted bytes, available bytes and the largest batch size that fits
 */
export function checkMemory(
  compiled: CompiledPlan,
  batchSize: number,
  availableBytes: number,
  predict: (batchSize: number) => PeakPrediction = compiled.predict,
): void {
  const predictedBytes = predict(batchSize).peakBytes;
  if (predictedBytes <= availableBytes) return;
  const largestBatch = largestFitting(predict, batchSize, availableBytes);
  throw new LocalgradError(
    'out-of-memory',
    `A step of '${compiled.plan.method}' with batch size ${batchSize} needs ${formatBytes(predictedBytes)} (${predictedBytes} bytes predicted), ` +
      `but ${formatBytes(availableBytes)} (${availableBytes} bytes) are available. ` +
      (largestBatch > 0 ? `The largest batch size that fits is ${largestBatch}; ` : 'No batch size fits; ') +
      "local methods with more modules, and memory 'recompute', need less.",
    { batchSize, predictedBytes, availableBytes, largestBatch },
  );
}

function largestFitting(
  predict: (batchSize: number) => PeakPrediction,
  batchSize: number,
  availableBytes: number,
): number {
  let fits = 0;
  let tooLarge = batchSize;
  while (tooLarge - fits > 1) {
    const middle = Math.floor((fits + tooLarge) / 2);
    if (predict(middle).peakBytes <= availableBytes) fits = middle;
    else tooLarge = middle;
  }
  return fits;
}

/** `1.5 MiB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
