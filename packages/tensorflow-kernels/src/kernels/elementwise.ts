import { requireLabels, type TrainingKernels } from '@localgrad/kernels';
import { dispose, type Scalar, type Tensor, type Tensor2D } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type ElementwiseKernels = Pick<TrainingKernels, 'accumulate' | 'softmaxCrossEntropy'>;

export function elementwiseKernels(run: OperationRunner): ElementwiseKernels {
  return {
    accumulate<T extends Tensor>(a: T, b: T): T {
      const sum = run.float<T>('AddV2', a, b);
      a.dispose();
      return sum;
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
