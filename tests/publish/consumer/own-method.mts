// A custom method in TypeScript that uses only the published types; it is type-checked, compiled and run.
import { backboneFactory } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import {
  clockAt,
  compose,
  createNetwork,
  type HeadFactory,
  identity,
  independentPlan,
  LocalgradError,
  type LocalLearningMethod,
  resolvePartition,
} from '@localgrad/core';
import { fashionMnistSubset, type ImageDataset } from '@localgrad/data';
import { type CompiledPlan, compilePlan, createTrainStep, type StepResult } from '@localgrad/engine';
import { describeKernels, type TrainingKernels } from '@localgrad/kernels';
import { requireTarget } from '@localgrad/nn/losses';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope, uniformFanIn } from '@localgrad/nn/random';
import { tapeHead } from '@localgrad/nn/tape';
import { startTensorflow } from '@localgrad/tensorflow-kernels';
import { type TrainingResult, train } from '@localgrad/train';
import { startWasm, type WasmRuntime } from '@localgrad/wasm-kernels';
import { createWebGpuKernels } from '@localgrad/webgpu-kernels';
import * as tf from '@tensorflow/tfjs';
import { createCatalog, type Explanation } from 'localgrad';

tf.enableProdMode();

/** Spatial mean, one dense layer, cross-entropy, as an ordinary TensorFlow.js function. */
const headFactory: HeadFactory = {
  name: 'mean-and-dense',
  build({ inputShape, classes, module }, scope) {
    const channels = inputShape[2];
    const weight = scope.parameter('weight', [channels, classes], uniformFanIn(channels));
    return tapeHead({
      name: `mean-and-dense${module}`,
      inputShape,
      parameters: [weight],
      fn: (h, targets, [kernel]) => {
        const labels = requireTarget(targets, 'labels', 'mean-and-dense');
        const logits = tf.matMul(tf.mean<tf.Tensor2D>(h, [1, 2]), kernel as tf.Tensor2D);
        return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), logits) as tf.Scalar;
      },
    });
  },
};

const ownMethod: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'own',
  config: { method: 'own' },
  plan: (network) => independentPlan('own', network, headFactory),
};

const backend: BackendHandle = await selectBackend('auto');
const scope = createScope(7);
const backbone = backboneFactory('resnet8').build({ inputShape: [16, 16, 1], classes: 10, scope });
const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 3 }));
const method = compose(identity, identity)(ownMethod);
const compiled: CompiledPlan = compilePlan(network, method.plan(network), { scope });
const optimizer = sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 1e-4 });
const images = tf.randomNormal<tf.Rank.R4>([8, 16, 16, 1], 0, 1, 'float32', 3);
const labels = tf.tensor1d([0, 1, 2, 3, 4, 5, 6, 7], 'int32');

const trainStep = createTrainStep({ compiled, optimizer });
const sums: number[] = [];
for (let step = 0; step < 5; step++) {
  const result: StepResult = trainStep.run({ images, targets: { labels } }, clockAt(step, 1, 5));
  let sum = 0;
  for (const loss of result.losses.values()) {
    sum += loss.dataSync<'float32'>()[0] ?? Number.NaN;
    loss.dispose();
  }
  sums.push(sum);
}

let refusal = '';
try {
  resolvePartition(backbone.blocks, { modules: 99 });
} catch (error) {
  refusal = LocalgradError.isInstance(error) ? error.code : String(error);
}
backend.dispose();
console.log(JSON.stringify({ sums, refusal }));

// Types that users annotate explicitly.
export type Used = [TrainingResult, TrainingKernels, WasmRuntime, ImageDataset, Explanation];
export const functions = {
  train,
  describeKernels,
  startWasm,
  createWebGpuKernels,
  startTensorflow,
  fashionMnistSubset,
  createCatalog,
};
