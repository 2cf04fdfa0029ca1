import { requireLabels, type SgdUpdate, type TrainingKernels } from '@localgrad/kernels';
import { dispose, mul, type Scalar, scalar, type Tensor, type Tensor2D } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type ElementwiseKernels = Pick<TrainingKernels, 'accumulate' | 'softmaxCrossEntropy' | 'sgdUpdateAll' | 'blendAll'>;

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
      const weighted = mul<Tensor2D>(gradient, weight / logits.shape[0]);
      dispose([losses, gradient]);
      return { loss, gradient: weighted };
    },
    // Raw operations: five hundred updates of small weights a step cost more in TensorFlow.js than in TensorFlow.
    sgdUpdateAll(requests) {
      const factors = new Factors();
      const sum = (a: Tensor, b: Tensor, factor: number): Tensor => {
        const scaled = run.float('Mul', b, factors.of(factor));
        const result = run.float('AddV2', a, scaled);
        scaled.dispose();
        return result;
      };
      const results = requests.map(
        ({ value, gradient, velocity, learningRate, momentum, nesterov, weightDecay }): SgdUpdate => {
          const decayed = weightDecay === 0 ? gradient : sum(gradient, value, weightDecay);
          const next = velocity === undefined ? decayed : sum(decayed, velocity, momentum);
          const direction = nesterov ? sum(decayed, next, momentum) : next;
          const updated = sum(value, direction, -learningRate);
          for (const tensor of new Set([gradient, decayed, direction])) if (tensor !== next) tensor.dispose();
          velocity?.dispose();
          return { value: updated, velocity: next };
        },
      );
      factors.dispose();
      return results;
    },
    blendAll(requests) {
      const factors = new Factors();
      const results = requests.map(({ average, value, kept, added }) => {
        const parts = [
          run.float('Mul', average, factors.of(kept)),
          run.float('Mul', value, factors.of(added)),
        ] as const;
        const result = run.float('AddV2', ...parts);
        dispose([...parts]);
        return result;
      });
      factors.dispose();
      return results;
    },
  };
}

/** Each factor of many updates is uploaded once. */
class Factors {
  readonly #scalars = new Map<number, Scalar>();

  of(value: number): Scalar {
    const known = this.#scalars.get(value) ?? scalar(value);
    this.#scalars.set(value, known);
    return known;
  }

  dispose(): void {
    dispose([...this.#scalars.values()]);
  }
}
