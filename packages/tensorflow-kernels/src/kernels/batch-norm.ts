import {
  type BatchStatistics,
  type MovedStatistics,
  moveStatistics,
  type Normalization,
  type RunningStatistics,
  type TrainingKernels,
} from '@localgrad/kernels';
import {
  dispose,
  ones,
  type Rank,
  rsqrt,
  scalar,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
  tensor1d,
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
export function batchNormKernels(run: OperationRunner): BatchNormKernels {
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
  function train(x: Tensor4D, scale: Tensor1D, shift: Tensor1D, epsilon: number) {
    const none = tensor1d([], 'float32');
    const inputs = [x, scale, shift, none, none];
    const [output, mean, unbiased, ...reserved] = run.many<Outputs>(
      'FusedBatchNormV3',
      inputs,
      attributes(epsilon, true),
      6,
    );
    const count = x.size / x.shape[3];
    // The operation returns the unbiased variance. (Its reserved outputs differ in meaning between CPU and GPU.)
    const factor = scalar(Math.max(count - 1, 1) / count);
    const variance = run.float<Tensor1D>('Mul', unbiased, factor);
    dispose([none, factor, unbiased, ...reserved]);
    return { output, mean, variance };
  }

  function batchStatistics(x: Tensor4D, running?: RunningStatistics): MovedStatistics {
    const scale = ones<Rank.R1>([x.shape[3]]);
    const shift = zeros<Rank.R1>([x.shape[3]]);
    const { output, mean, variance } = train(x, scale, shift, 1);
    dispose([scale, shift, output]);
    return moved({ mean, variance }, x, running);
  }

  function moved(statistics: BatchStatistics, x: Tensor4D, running: RunningStatistics | undefined): MovedStatistics {
    if (running === undefined) return statistics;
    return { ...statistics, running: moveStatistics(running, statistics, x.size / x.shape[3]) };
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
      const { output, ...statistics } = train(x, scale, shift, epsilon);
      return { ...moved(statistics, x, running), output: finish(output, residual, relu) };
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
