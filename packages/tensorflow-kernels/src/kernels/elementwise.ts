import { requireLabels, type TrainingKernels } from '@localgrad/kernels';
import { dispose, type Scalar, type Tensor, type Tensor2D, type Tensor4D } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type ElementwiseKernels = Pick<TrainingKernels, 'accumulate' | 'reluGradient' | 'softmaxCrossEntropy'>;

export function elementwiseKernels(run: OperationRunner): ElementwiseKernels {
  return {
    accumulate<T extends Tensor>(a: T, b: T): T {
      const sum = run.float<T>('AddV2', a, b);
      a.dispose();
      return sum;
    },
    reluGradient(dy, output, slope) {
      if (slope === 0) return run.float<Tensor4D>('ReluGrad', dy, output);
      const attributes = [run.type('T', 'float32'), run.attribute('alpha', 'FLOAT', slope)];
      return run.one<Tensor4D>('LeakyReluGrad', [dy, output], attributes);
    },
    softmaxCrossEntropy(logits, labels, weight) {
      const types = [run.type('T', 'float32'), run.type('Tlabels', 'int32')];
      const name = 'SparseSoftmaxCrossEntropyWithLogits';
      let outputs: readonly Tensor[];
      try {
        outputs = run.many(name, [logits, labels], types, 2);
      } catch (error) {
        requireLabels(labels.dataSync(), logits.shape[1]);
        throw error;
      }
      const [losses, gradient] = outputs as [Tensor, Tensor2D];
      const loss = losses.mean<Scalar>();
      const weighted = run.scaled(gradient, weight / logits.shape[0]);
      dispose([losses, gradient]);
      return { loss, gradient: weighted };
    },
  };
}
