import { backprop } from '@localgrad/backprop';
import { evaluationMode, LocalgradError, startOfTraining } from '@localgrad/core';
import { compilePlan, createTrainStep } from '@localgrad/engine';
import { fromLayersModel, type LayersNetwork } from '@localgrad/layers';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { originOf } from '../../../packages/layers/src/layers-backbone.js';
import { scoresOf } from '../../../packages/layers/src/models.fixture.js';
import { allLayers, buildModel, nameIn, numbers } from './build-model.js';
import { requireClose } from './compare.js';
import { networkOfFiles } from './files.js';
import { omitsSoftmax, referenceStep } from './reference.js';
import type { ModelSpec } from './specs.js';

/** What `scoresOf` reads. */
type ScoringNetwork = Parameters<typeof scoresOf>[0];

/** What became of a model; `refused`: the reason is an error that names a layer; `predicted`: TensorFlow.js cannot train it. */
export type ModelOutcome = 'refused' | 'predicted' | 'trained';

const samples = 3;

/**
 * Imports one model of layers and checks what holds for all of them: its network predicts what the model predicts, also when it is
 * cut into modules, copied, written back, and read from files; and a step of gradient descent on it moves all weights and
 * statistics as the tape does on the model. A model that is not supported is refused by an error that names a layer.
 *
 * @param backend of the network; the model runs on `cpu`
 * @throws Error that says what does not hold
 */
export async function checkModel(spec: ModelSpec, backend: string): Promise<ModelOutcome> {
  const engine = tf.engine();
  engine.startScope();
  const kept = new Set(Object.keys(engine.state.registeredVariables));
  try {
    return await new ModelCheck(spec, backend).run();
  } finally {
    engine.endScope();
    for (const [name, variable] of Object.entries(engine.state.registeredVariables))
      if (!kept.has(name)) variable.dispose();
  }
}

class ModelCheck {
  readonly #spec: ModelSpec;
  readonly #backend: string;

  constructor(spec: ModelSpec, backend: string) {
    this.#spec = spec;
    this.#backend = backend;
  }

  async run(): Promise<ModelOutcome> {
    const spec = this.#spec;
    await tf.setBackend('cpu');
    const model = buildModel(spec, 'model');
    const random = createRandom(spec.seed, 'images');
    const draw = numbers(spec.images, random);
    const count = spec.input.reduce((product, extent) => product * extent, samples);
    const given = tf.tensor(Float32Array.from({ length: count }, draw), [samples, ...spec.input]);
    const own = await this.#import(model);
    if (own === undefined) return 'refused';
    const predicted = await this.#predict(model, given);
    if (predicted === undefined) return 'refused';
    const { inputShape, classes, blocks } = own.network.backbone;
    const images = tf.reshape<tf.Rank.R4>(given, [samples, ...inputShape]);
    const isSoftmax = omitsSoftmax(model);
    const outputOf = (network: ScoringNetwork) => {
      const scores = scoresOf(network, images);
      return isSoftmax ? tf.softmax(scores) : scores;
    };
    await requireClose('Prediction', outputOf(own), predicted);
    await checkCopies(own, images);
    own.dispose();

    const cut = fromLayersModel(model, { cuts: 1 + (spec.seed % blocks.length) });
    await requireClose('Prediction of modules', outputOf(cut), predicted);
    const labels = tf.tensor1d(
      Int32Array.from({ length: samples }, () => random.integer(classes)),
      'int32',
    );
    const isTrained = await this.#step(cut, images, labels);
    cut.writeWeights();
    const after = await this.#predict(model, given);
    if (after !== undefined) await requireClose('Prediction of the written weights', outputOf(cut), after);
    const read = await networkOfFiles(model);
    if (read !== undefined) await requireClose('Prediction of files', outputOf(read), outputOf(cut));
    cut.dispose();
    return isTrained ? 'trained' : 'predicted';
  }

  async #import(model: tf.LayersModel): Promise<LayersNetwork | undefined> {
    await tf.setBackend(this.#backend);
    const before = imported(model);
    if (!LocalgradError.isInstance(before)) return before;
    const names = [model.name, ...allLayers(model).map(({ name }) => name)];
    if (!names.some((name) => before.message.includes(`'${name}'`)))
      throw new Error(`The error names no layer: ${before.message}`);
    // Again, because the first time may have created constants that are kept.
    const { numTensors } = tf.memory();
    imported(model);
    if (tf.memory().numTensors !== numTensors) throw new Error(`Tensors are left after: ${before.message}`);
    return undefined;
  }

  /** Undefined if the random input is not one of the model's: indexes outside of an embedding. */
  async #predict(model: tf.LayersModel, given: tf.Tensor): Promise<tf.Tensor | undefined> {
    await tf.setBackend('cpu');
    try {
      const output = model.predict(given);
      return Array.isArray(output) ? output[0] : output;
    } catch (error) {
      if (error instanceof Error && /the index value/.test(error.message)) return undefined;
      throw new Error('The model is imported, but cannot predict.', { cause: error });
    } finally {
      await tf.setBackend(this.#backend);
    }
  }

  /** A training step end to end. @returns whether TensorFlow.js can train the model, too */
  async #step(own: LayersNetwork, images: tf.Tensor4D, labels: tf.Tensor1D): Promise<boolean> {
    const spec = this.#spec;
    const bindings = originOf(own.network.backbone)?.bindings ?? [];
    const starts = bindings.map(({ parameter }) => parameter.value.clone());
    const compiled = compilePlan(own.network, backprop().plan(own.network), {
      scope: own.scope,
      memory: spec.seed % 3 === 0 ? 'recompute' : 'residuals',
    });
    const optimizer = sgd({ learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 });
    const trainStep = createTrainStep({ compiled, optimizer, learningRate: 1 });
    const { losses } = trainStep.run({ images, targets: { labels, images } }, startOfTraining);
    optimizer.dispose();
    await tf.setBackend('cpu');
    const reference = referenceStep(spec, images, labels);
    const noise = tf.randomNormal(images.shape, 0, 2e-6, 'float32', spec.seed);
    const near = reference && referenceStep(spec, tf.add(images, noise), labels);
    if (reference !== undefined && near !== undefined) {
      const [loss] = [...losses.values()].slice(-1);
      if (loss !== undefined) await requireClose('Loss', loss, reference.loss, near.loss);
      for (const [position, { layer, index, parameter }] of bindings.entries()) {
        const name = nameIn(layer, index);
        const [expected, other, start] = [reference.weights.get(name), near.weights.get(name), starts[position]];
        if (expected === undefined || other === undefined || start === undefined)
          throw new Error(`The reference has no weight '${name}'.`);
        const from = start.reshape(expected.shape);
        await requireClose(`Step of ${name}`, parameter.value.sub(start), expected.sub(from), other.sub(from));
      }
    }
    await tf.setBackend(this.#backend);
    return reference !== undefined;
  }
}

function imported(model: tf.LayersModel): LayersNetwork | LocalgradError {
  try {
    return fromLayersModel(model, { cuts: 1 });
  } catch (error) {
    if (LocalgradError.isInstance(error)) return error;
    throw error;
  }
}

/** Copies of blocks, as decorators train them, compute the same with the same weights. */
async function checkCopies({ network: { backbone } }: LayersNetwork, images: tf.Tensor4D): Promise<void> {
  const scope = createScope(7);
  let x = images;
  for (const { block } of backbone.blocks) {
    const copy = block.replicate(scope.scope('copy'));
    const [own, copied] = [block, copy].map(({ parameters, statistics }) => [...parameters, ...statistics]);
    if (own?.length !== copied?.length) throw new Error(`A copy of block '${block.name}' has other parameters.`);
    for (const [index, parameter] of (own ?? []).entries()) copied?.[index]?.assign(parameter.value.clone());
    const { output } = block.forward(x, evaluationMode);
    await requireClose(`Copy of block '${block.name}'`, copy.forward(x, evaluationMode).output, output);
    x = output;
  }
}
