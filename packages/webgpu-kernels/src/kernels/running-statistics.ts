import { get } from '@localgrad/core';
import { type MovedStatistics, type RunningStatistics, runningFactors } from '@localgrad/kernels';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import type { WebGpuBackend } from '../program.js';
import { isUnshared, type ManyRequest } from '../program-many.js';

type Parts = Pick<ManyRequest, 'inputs' | 'outputs'> & Required<Pick<ManyRequest, 'changed' | 'numbers'>>;

/** The part of a kernel that moves running statistics towards `batchMean` and `batchVariance` of `channel`. */
export interface RunningUpdate extends Parts {
  /** Distinguishes the code from that of other updates. */
  readonly key: string;
  /** WGSL. */
  readonly body: string;
  /** The moved statistics, from the results of the kernel. */
  take(results: ReadonlyMap<string, Tensor>): Pick<MovedStatistics, 'running'>;
}

/** Moves statistics in place if no other handle shares them, else into new tensors. */
export function runningUpdate(
  backend: WebGpuBackend,
  running: RunningStatistics | undefined,
  rows: number,
): RunningUpdate {
  if (running === undefined) {
    return { key: 'none', body: '', inputs: {}, outputs: {}, changed: {}, numbers: {}, take: () => ({}) };
  }
  const { mean, variance, kept } = running;
  const factors = runningFactors(kept, rows);
  const old = { oldMean: mean, oldVariance: variance };
  const isInPlace = isUnshared(backend, [mean, variance]);
  const [newMean, newVariance] = isInPlace ? ['oldMean', 'oldVariance'] : ['newMean', 'newVariance'];
  return {
    key: isInPlace ? 'in place' : 'new',
    body: `
      ${newMean}[channel] = uniforms.kept * oldMean[channel] + uniforms.addedMean * batchMean;
      ${newVariance}[channel] = uniforms.kept * oldVariance[channel] + uniforms.addedVariance * batchVariance;`,
    inputs: isInPlace ? {} : old,
    outputs: isInPlace ? {} : { newMean: mean.shape, newVariance: variance.shape },
    changed: isInPlace ? old : {},
    numbers: { kept, addedMean: factors.mean, addedVariance: factors.variance },
    take(results) {
      const take = (name: string) => get(results, name, 'result') as Tensor1D;
      const moved = isInPlace
        ? { mean: mean.clone(), variance: variance.clone() }
        : { mean: take('newMean'), variance: take('newVariance') };
      return { running: moved };
    },
  };
}
