import {
  type BackboneFactory,
  createNetwork,
  type LocalLearningMethod,
  resolvePartition,
  type Shape3,
  startOfTraining,
} from '@localgrad/core';
import { type CompiledPlan, compilePlan, createTrainStep, type MemoryPolicy } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope, type RootScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';

export interface Rig {
  readonly compiled: CompiledPlan;
  readonly scope: RootScope;
  /** Predicted peak bytes of a step. */
  predict(): number;
  /** Runs steps on the same batch; returns the last losses. */
  run(steps: number): number[];
  /** Weights of all parameters, one after the other. */
  weights(): number[];
  dispose(): void;
}

/** A network with its optimizer on one random batch. */
export function rig(
  factory: BackboneFactory,
  method: LocalLearningMethod,
  modules: number,
  imageShape: Shape3,
  batchSize: number,
  memory: MemoryPolicy = 'residuals',
  accumulate = 1,
): Rig {
  const scope = createScope(3);
  const backbone = factory.build({ inputShape: imageShape, classes: 10, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope, memory });
  const optimizer = sgd({ learningRate: 0.05 });
  const trainStep = createTrainStep({ compiled, optimizer, accumulate });
  const random = createRandom(9);
  const size = batchSize * imageShape[0] * imageShape[1] * imageShape[2];
  const images = tf.tensor4d(
    Float32Array.from({ length: size }, () => random.normal()),
    [batchSize, ...imageShape],
  );
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, (_, index) => index % 10),
    'int32',
  );
  return {
    compiled,
    scope,
    predict: () => trainStep.predict(batchSize).peakBytes,
    run(steps) {
      let last: number[] = [];
      for (let step = 0; step < steps; step++) {
        const { losses, terms } = trainStep.run({ images, targets: { labels } }, startOfTraining);
        last = [...losses.values()].map((loss) => loss.dataSync()[0] as number);
        tf.dispose([...losses.values(), ...terms.values()]);
      }
      return last;
    },
    weights: () => [...compiled.parameters.values()].flatMap(({ value }) => [...value.dataSync()]),
    dispose() {
      optimizer.dispose();
      tf.dispose([images, labels]);
      for (const parameter of scope.all().values()) parameter.dispose();
    },
  };
}

export const tinyShape: Shape3 = [8, 8, 2];
