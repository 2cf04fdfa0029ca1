import {
  type BackboneFactory,
  clockAt,
  createNetwork,
  type LocalLearningMethod,
  type Optimizer,
  resolvePartition,
} from '@localgrad/core';
import { compilePlan, createTrainStep, type TrainStepOptions } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';

export interface TrainingOptions extends Partial<TrainStepOptions> {
  readonly factory: BackboneFactory;
  readonly method: LocalLearningMethod;
  readonly modules: number;
  readonly side: number;
  readonly batch: number;
  readonly createOptimizer?: () => Optimizer;
}

const steps = 24;
const createSgd = (): Optimizer => sgd({ learningRate: 0.05 });

/** A training run on random batches, which differ from step to step. */
export function createTraining(options: TrainingOptions) {
  const { factory, method, modules, side, batch: ofImages, createOptimizer = createSgd, ...others } = options;
  const scope = createScope(3);
  const backbone = factory.build({ inputShape: [side, side, 3], classes: 4, scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
  const compiled = compilePlan(network, method.plan(network), { scope });
  const optimizer = createOptimizer();
  const learningRate = { config: {}, rate: ({ fraction }: { readonly fraction: number }) => 0.05 * (1 - fraction) };
  const step = createTrainStep({ compiled, optimizer, learningRate, ...others });
  const createBatch = (index: number, size: number) => {
    const random = createRandom(index, 'batch');
    const values = Float32Array.from({ length: size * side * side * 3 }, () => random.normal());
    const labels = Int32Array.from({ length: size }, () => random.integer(4));
    return {
      images: tf.tensor4d(values, [size, side, side, 3]),
      targets: {
        labels: tf.tensor1d(labels, 'int32'),
        images: tf.tensor4d(
          values.map((value) => 1 / (1 + Math.exp(-value))),
          [size, side, side, 3],
        ),
      },
    };
  };
  const runStep = (index: number, size = ofImages) => {
    const batch = createBatch(index, size);
    const result = step.run(batch, clockAt(index, 1, steps));
    tf.dispose([batch.images, ...Object.values(batch.targets)]);
    return result;
  };
  return {
    compiled,
    optimizer,
    step,
    runStep,
    /** Runs a step. @returns its losses and terms */
    async losses(index: number, size?: number): Promise<Record<string, number>> {
      const { losses, terms } = runStep(index, size);
      const scalars = new Map([...losses, ...terms]);
      const found = await valuesOf(scalars);
      tf.dispose([...scalars.values()]);
      return Object.fromEntries([...found].map(([name, [value]]) => [name, value ?? Number.NaN]));
    },
    /** All parameters and the optimizer's state. */
    state(): Promise<Map<string, Float32Array>> {
      const parameters = [...compiled.parameters].map(([name, { value }]) => [name, value] as const);
      return valuesOf(new Map([...parameters, ...optimizer.state()]));
    },
    dispose() {
      step.dispose();
      optimizer.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
    },
  };
}

async function valuesOf(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, Float32Array>> {
  const entries = [...tensors].map(async ([name, tensor]) => [name, Float32Array.from(await tensor.data())] as const);
  return new Map(await Promise.all(entries));
}
