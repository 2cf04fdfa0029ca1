import {
  type BatchStatistics,
  type MovedStatistics,
  type Normalization,
  type RunningStatistics,
  runningFactors,
  type TrainingKernels,
} from '@localgrad/kernels';
import {
  dispose,
  ones,
  type Rank,
  rsqrt,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
  tidy,
  zeros,
} from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type BatchNormKernels = Pick<
  TrainingKernels,
  'batchStatistics' | 'batchNormApply' | 'batchNormForward' | 'batchNormGradient'
>;

/** An image or its gradient, two vectors by channel, and reserved outputs. */
type Outputs = readonly [Tensor4D, Tensor1D, Tensor1D, ...Tensor[]];

/** FusedBatchNormV3 and its gradient, where stock TensorFlow.js composes them from a dozen operations. */
export function batchNormKernels(run: OperationRunner, blendAll: TrainingKernels['blendAll']): BatchNormKernels {
  const attributes = (epsilon: number, isTraining: boolean) => [
    run.type('T', 'float32'),
    run.type('U', 'float32'),
    run.attribute('epsilon', 'FLOAT', epsilon),
    run.attribute('data_format', 'STRING', 'NHWC'),
    run.attribute('is_training', 'BOOL', isTraining),
  ];
  const normalized = (x: Tensor4D, { mean, variance, epsilon, scale, shift }: Normalization): Tensor4D => {
    const inputs = [x, scale, shift, mean, variance];
    const [output, ...others] = run.many<Outputs>('FusedBatchNormV3', inputs, attributes(epsilon, false), 6);
    dispose(others);
    return output;
  };

  /** Normalizes by the batch statistics, and returns them. */
  function train(
    x: Tensor4D,
    scale: Tensor1D,
    shift: Tensor1D,
    epsilon: number,
    running: RunningStatistics | undefined,
  ): MovedStatistics & { readonly output: Tensor4D } {
    // cuDNN does not return the variance, but a reserved output of a meaning of its own.
    const { isUsingGpuDevice } = run.backend;
    const moves = running !== undefined && running.kept > 0 && !isUsingGpuDevice;
    const none = run.constants.empty();
    const old = moves ? [running.mean, running.variance] : [none, none];
    const factor = run.attribute('exponential_avg_factor', 'FLOAT', moves ? 1 - running.kept : 1);
    const [output, newMean, newVariance, mean, variance, unused] = run.many<
      [Tensor4D, Tensor1D, Tensor1D, Tensor1D, Tensor1D, Tensor]
    >('FusedBatchNormV3', [x, scale, shift, ...old], [...attributes(epsilon, true), factor], 6);
    unused.dispose();
    if (!isUsingGpuDevice) {
      if (running !== undefined) return { output, mean, variance, running: { mean: newMean, variance: newVariance } };
      dispose([newMean, newVariance]);
      return { output, mean, variance };
    }
    const count = x.size / x.shape[3];
    const biased = run.scaled(newVariance, Math.max(count - 1, 1) / count);
    dispose([mean, variance, newVariance]);
    return { output, ...moved({ mean: newMean, variance: biased }, count, running) };
  }

  function moved(batch: BatchStatistics, count: number, running: RunningStatistics | undefined): MovedStatistics {
    if (running === undefined) return batch;
    const { mean, variance, kept } = running;
    const added = runningFactors(kept, count);
    const [newMean, newVariance] = blendAll([
      { average: mean, value: batch.mean, kept, added: added.mean },
      { average: variance, value: batch.variance, kept, added: added.variance },
    ]) as [Tensor1D, Tensor1D];
    return { ...batch, running: { mean: newMean, variance: newVariance } };
  }

  function batchStatistics(x: Tensor4D, running?: RunningStatistics): MovedStatistics {
    const scale = ones<Rank.R1>([x.shape[3]]);
    const shift = zeros<Rank.R1>([x.shape[3]]);
    const { output, ...statistics } = train(x, scale, shift, 1, running);
    dispose([scale, shift, output]);
    return statistics;
  }

  /** Consumes y. */
  function finish(y: Tensor4D, residual: Tensor4D | undefined, relu: boolean): Tensor4D {
    const sum = residual === undefined ? y : replace(y, run.float<Tensor4D>('AddV2', y, residual));
    return relu ? replace(sum, run.float('Relu', sum)) : sum;
  }

  function batchNormApply(x: Tensor4D, norm: Normalization, residual: Tensor4D | undefined, relu: boolean): Tensor4D {
    return finish(normalized(x, norm), residual, relu);
  }

  return {
    batchStatistics,
    batchNormApply,
    batchNormForward(x, { scale, shift, epsilon }, residual, relu, running) {
      const { output, ...statistics } = train(x, scale, shift, epsilon, running);
      return { ...statistics, output: finish(output, residual, relu) };
    },
    batchNormGradient({ dy, x, normalization, mask, overwriteInput, wantMasked }) {
      const { mean, variance, epsilon, scale } = normalization;
      let masked = dy;
      if (mask !== 'none') {
        const output = mask === 'recompute' ? normalized(x, normalization) : mask;
        masked = replace(dy, run.float<Tensor4D>('ReluGrad', dy, output));
        if (output !== mask) output.dispose();
      }
      // cuDNN returns the inverse deviation where the CPU kernel returns the variance.
      const spread = run.backend.isUsingGpuDevice ? tidy(() => rsqrt(variance.add(epsilon))) : variance;
      const inputs = [masked, x, scale, mean, spread];
      const [dx, dScale, dShift, ...unused] = run.many<Outputs>(
        'FusedBatchNormGradV2',
        inputs,
        attributes(epsilon, true),
        5,
      );
      dispose(unused);
      if (spread !== variance) spread.dispose();
      if (overwriteInput) x.dispose();
      if (!wantMasked) masked.dispose();
      const gradients = { dx, dScale, dShift };
      return wantMasked ? { ...gradients, masked } : gradients;
    },
  };
}

function replace<Kind extends Tensor>(old: Kind, next: Kind): Kind {
  old.dispose();
  return next;
}
