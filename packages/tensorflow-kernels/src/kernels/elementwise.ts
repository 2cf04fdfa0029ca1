import { requireLabels, type TrainingKernels } from '@localgrad/kernels';
import { dispose, mul, type Scalar, scalar, type Tensor, type Tensor2D } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type ElementwiseKernels = Pick<TrainingKernels, 'accumulate' | 'softmaxCrossEntropy' | 'sgdUpdate'>;

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
      const loss = losses.mean() as Scalar;
      const weighted = mul<Tensor2D>(gradient, weight / logits.shape[0]);
      dispose([losses, gradient]);
      return { loss, gradient: weighted };
    },
    // Raw operations: with five hundred updates of small weights per step, TensorFlow.js costs more time than TensorFlow.
    sgdUpdate({ value, gradient, velocity, learningRate, momentum, nesterov, weightDecay }) {
      const sum = (a: Tensor, b: Tensor, factor: number): Tensor => {
        const number = scalar(factor);
        const scaled = run.float('Mul', b, number);
        const result = run.float('AddV2', a, scaled);
        dispose([number, scaled]);
        return result;
      };
      const decayed = weightDecay === 0 ? gradient : sum(gradient, value, weightDecay);
      const next = velocity === undefined ? decayed : sum(decayed, velocity, momentum);
      const direction = nesterov ? sum(decayed, next, momentum) : next;
      const updated = sum(value, direction, -learningRate);
      for (const tensor of new Set([gradient, decayed, direction])) if (tensor !== next) tensor.dispose();
      velocity?.dispose();
      return { value: updated, velocity: next };
    },
  };
}
