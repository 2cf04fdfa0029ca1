import { at, bytesOf } from '@localgrad/core';
import { type CompiledPlan, type PeakPrediction, type PredictionOptions, partOf } from '@localgrad/engine';
import { describeBuffers } from './buffer-bytes.js';
import type { AsynchronousOptions } from './options.js';

/**
 * Predicted peak memory of simulated asynchronous training, with full buffers. One module trains at a time; its input is
 * in a buffer, except that of the first.
 *
 * @throws LocalgradError `invalid-option`
 */
export function predictAsynchronous(
  compiled: CompiledPlan,
  rules: AsynchronousOptions,
  batchSize: number,
  options: Pick<PredictionOptions, 'optimizer' | 'accumulate'> = {},
): PeakPrediction {
  const { bytes } = describeBuffers(compiled, rules, batchSize);
  const whole = compiled.predict(batchSize, options);
  const modules = compiled.modules.map((_, module) => moduleBytes(compiled, module, batchSize, options));
  const stepBytes = Math.max(...modules);
  const batchBytes = whole.batchBytes + bytes;
  return { ...whole, peakBytes: stepBytes + whole.residentBytes + batchBytes, stepBytes, batchBytes, modules };
}

/** Bytes of a module's step beside its input. The outputs of earlier micro-batches wait until the last one is written. */
function moduleBytes(
  compiled: CompiledPlan,
  module: number,
  batchSize: number,
  options: Pick<PredictionOptions, 'optimizer' | 'accumulate'>,
): number {
  const part = partOf(compiled, [module, module]);
  const { stepBytes } = part.predict(batchSize, options);
  const { accumulate = 1 } = options;
  if (accumulate === 1 || stepBytes === 0) return stepBytes;
  const microBatch = Math.ceil(batchSize / accumulate);
  const isLast = module === compiled.modules.length - 1;
  const outputs = isLast ? 0 : bytesOf(at(compiled.modules, module, 'module').outputShape, batchSize - microBatch);
  return stepBytes + outputs;
}
