import type { BatchNormGradient, BatchStatistics, Normalisation, TrainingKernels } from '@localgrad/nn';
import {
  dispose,
  mul,
  ones,
  rsqrt,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
  tensor1d,
  tidy,
  zeros,
} from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type BatchNormKernels = Pick<TrainingKernels, 'batchStatistics' | 'batchNormApply' | 'batchNormGradient'>;

/** FusedBatchNormV3 and its gradient, where stock TensorFlow.js composes them from a dozen operations. */
export function batchNormKernels(run: OperationRunner): BatchNormKernels {
  const attributes = (epsilon: number, isTraining: boolean) => [
    run.type('T', 'float32'),
    run.type('U', 'float32'),
    run.attribute('epsilon', 'FLOAT', epsilon),
    run.attribute('data_format', 'STRING', 'NHWC'),
    run.attribute('is_training', 'BOOL', isTraining),
  ];
  const normalised = (x: Tensor4D, { mean, variance, epsilon, scale, shift }: Normalisation): Tensor4D => {
    const outputs = run.many('FusedBatchNormV3', [x, scale, shift, mean, variance], attributes(epsilon, false), 6);
    dispose(outputs.slice(1));
    return outputs[0] as Tensor4D;
  };

  function batchStatistics(x: Tensor4D): BatchStatistics {
    return tidy(() => {
      const channels = x.shape[3];
      const none = tensor1d([], 'float32');
      const inputs = [x, ones([channels]), zeros([channels]), none, none];
      const [, mean, variance] = run.many('FusedBatchNormV3', inputs, attributes(1, true), 6);
      const count = x.size / channels;
      // The operation hands out the unbiased variance. (Its reserved outputs mean different things on CPU and GPU.)
      const biased = mul<Tensor1D>(variance as Tensor, Math.max(count - 1, 1) / count);
      return { mean: mean as Tensor1D, variance: biased };
    });
  }

  function batchNormApply(x: Tensor4D, norm: Normalisation, residual: Tensor4D | undefined, relu: boolean): Tensor4D {
    let y = normalised(x, norm);
    if (residual !== undefined) y = replace(y, run.float('AddV2', y, residual));
    return relu ? replace(y, run.float('Relu', y)) : y;
  }

  return {
    batchStatistics,
    batchNormApply,
    batchNormGradient({ dy, x, normalisation, mask, overwriteInput, wantMasked }) {
      const { mean, variance, epsilon, scale } = normalisation;
      let masked = dy;
      if (mask !== 'none') {
        const output = mask === 'recompute' ? normalised(x, normalisation) : mask;
        masked = replace(dy, run.float<Tensor4D>('ReluGrad', dy, output));
        if (output !== mask) output.dispose();
      }
      // cuDNN keeps the inverse deviation where the CPU's kernel keeps the variance.
      const spread = run.backend.isUsingGpuDevice ? tidy(() => rsqrt(variance.add(epsilon))) : variance;
      const inputs = [masked, x, scale, mean, spread];
      const [dx, dScale, dShift, ...unused] = run.many('FusedBatchNormGradV2', inputs, attributes(epsilon, true), 5);
      dispose(unused);
      if (spread !== variance) spread.dispose();
      if (overwriteInput) x.dispose();
      if (!wantMasked) masked.dispose();
      const gradients = { dx, dScale, dShift } as BatchNormGradient;
      return wantMasked ? { ...gradients, masked } : gradients;
    },
  };
}

function replace<Kind extends Tensor>(old: Kind, next: Kind): Kind {
  old.dispose();
  return next;
}
