import * as tf from '@tensorflow/tfjs';
import { allLayers, buildModel, nameIn } from './build-model.js';
import type { ModelSpec } from './specs.js';

/** A step of gradient descent on a model. */
export interface ReferenceStep {
  readonly loss: tf.Tensor;
  /** All weights after the step, and statistics, by `nameIn`. */
  readonly weights: ReadonlyMap<string, tf.Tensor>;
}

/**
 * A step with learning rate 1 by TensorFlow.js' tape, on the cross-entropy of the model's output. Undefined for models that
 * TensorFlow.js cannot train, or not with the right gradient.
 */
export function referenceStep(spec: ModelSpec, images: tf.Tensor4D, labels: tf.Tensor1D): ReferenceStep | undefined {
  const model = buildModel(spec, 'reference');
  const layers = allLayers(model);
  if (layers.some(isRandom) || layers.some(isWrong)) return undefined;
  const isSoftmax = omitsSoftmax(model);
  const lossOf = () =>
    tf.tidy(() => {
      const output = model.apply(images.reshape([-1, ...spec.input]), { training: true }) as tf.Tensor;
      const logarithms = isSoftmax ? output.log() : tf.logSoftmax(output);
      return logarithms
        .mul(tf.oneHot(labels, output.shape[1] ?? 0))
        .sum(1)
        .neg()
        .mean()
        .asScalar();
    });
  const trained = model.trainableWeights.map((weight) => weight.read()).filter((value) => value instanceof tf.Variable);
  const result = trained.length === 0 ? { value: lossOf(), grads: {} } : gradientsOf(lossOf, trained);
  // A probability of 0 has no finite logarithm, which class scores need not have.
  if (result === undefined || !Number.isFinite(result.value.dataSync()[0])) return undefined;
  const weights = layers.flatMap((layer) =>
    layer.weights.map((weight, index) => {
      const value = weight.read();
      const gradient = value instanceof tf.Variable ? result.grads[value.name] : undefined;
      return [nameIn(layer, index), gradient === undefined ? value.clone() : value.sub(gradient)] as const;
    }),
  );
  return { loss: result.value, weights: new Map(weights) };
}

function gradientsOf(loss: () => tf.Scalar, variables: tf.Variable[]): ReturnType<typeof tf.variableGrads> | undefined {
  try {
    return tf.variableGrads(loss, variables);
  } catch {
    return undefined;
  }
}

function isRandom(layer: tf.layers.Layer): boolean {
  return layer.getClassName() === 'Dropout' && Number(layer.getConfig().rate) > 0;
}

/** TensorFlow.js counts padding as part of the mean in the gradient. */
function isWrong(layer: tf.layers.Layer): boolean {
  return layer.getClassName() === 'AveragePooling2D' && layer.getConfig().padding === 'same';
}

/** Whether a model's output are probabilities by a softmax. */
export function omitsSoftmax(model: tf.LayersModel): boolean {
  let tensor = model.outputs[0];
  while (tensor !== undefined) {
    const { sourceLayer: layer, nodeIndex } = tensor;
    const className = layer.getClassName();
    const { activation } = layer.getConfig();
    if (className === 'Softmax' || activation === 'softmax') return true;
    const keepsValues =
      /^(Reshape|Flatten|Permute)$/.test(className) || (className === 'Activation' && activation === 'linear');
    if (!keepsValues) return false;
    tensor = layer.inboundNodes[nodeIndex]?.inputTensors[0];
  }
  return false;
}
