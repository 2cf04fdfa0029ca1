import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import type { EndSpec, LayerSpec, ModelSpec, PartSpec, Values } from './specs.js';

type Layer = tf.layers.Layer;
type Options = Readonly<Record<string, unknown>>;

/** The same weights give the same predictions in both; `reference` avoids what TensorFlow.js cannot train. */
export type Variant = 'model' | 'reference';

/** The layer of a spec for an input shape without the batch. */
function createLayer(
  { kind, options, frozen }: LayerSpec,
  name: string,
  shape: readonly number[],
  variant: Variant,
): Layer {
  const channels = shape.at(-1) ?? 1;
  const given: Record<string, unknown> = { ...options, name };
  for (const key of ['filters', 'units']) if (given[key] === 0) given[key] = channels;
  const recurrentInitializer = 'glorotNormal';
  if (/^(simpleRNN|gru|lstm)$/.test(kind)) given.recurrentInitializer = recurrentInitializer;
  const create = (): Layer => {
    switch (kind) {
      case 'reshape':
        return tf.layers.reshape({ name, targetShape: reshaped(shape, String(options.order)) });
      case 'permute':
        return tf.layers.permute({ name, dims: permuted(shape.length, String(options.order)) });
      case 'timeDistributed':
        return tf.layers.timeDistributed({ name, layer: tf.layers.dense({ units: Number(options.units) }) });
      case 'bidirectional': {
        const layer = tf.layers.gru({ units: Number(options.units), returnSequences: true, recurrentInitializer });
        return tf.layers.bidirectional({ name, layer, mergeMode: options.mergeMode as 'concat' });
      }
      case 'stackedRNN': {
        const cell = (dropout: number) =>
          tf.layers.gruCell({ units: Number(options.units), dropout, recurrentInitializer });
        return tf.layers.rnn({ name, cell: [cell(0), cell(Number(options.dropout))] as never });
      }
      case 'batchNormalization':
      case 'layerNormalization':
        return variant === 'reference' ? completeNorm(kind, given) : tf.layers[kind](given);
      default:
        return (tf.layers as unknown as Record<string, (options: Options) => Layer>)[kind]?.(given) as Layer;
    }
  };
  const layer = create();
  if (frozen) layer.trainable = false;
  return layer;
}

/** Weights that only the reference has, at the values without effect. */
const added = new WeakMap<Layer, readonly string[]>();

/** A normalization with all weights: without a scale, TensorFlow.js throws a TypeError in training. */
function completeNorm(kind: 'batchNormalization' | 'layerNormalization', options: Options): Layer {
  const layer = tf.layers[kind]({ ...options, scale: true, center: true });
  added.set(layer, [...(options.scale === false ? ['gamma'] : []), ...(options.center === false ? ['beta'] : [])]);
  return layer;
}

function reshaped(shape: readonly number[], order: string): number[] {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const [first = 1] = shape;
  const last = shape.at(-1) ?? 1;
  switch (order) {
    case 'flat':
      return [-1];
    case 'rows':
      return [first, size / first];
    case 'columns':
      return [-1, last];
    case 'map':
      return [1, first, size / first];
    default:
      return [...shape].reverse();
  }
}

function permuted(rank: number, order: string): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis + 1);
  return order === 'reversed' ? axes.reverse() : [...axes.slice(1), ...axes.slice(0, 1)];
}

/** Adds layers to a functional model, and remembers those that fit. */
class Builder {
  readonly sequence: (() => Layer)[] = [];
  isSequential = true;
  #count = 0;
  readonly #variant: Variant;

  constructor(variant: Variant) {
    this.#variant = variant;
  }

  part(x: tf.SymbolicTensor, part: PartSpec): tf.SymbolicTensor {
    if ('kind' in part) return this.layer(x, part);
    if ('nested' in part) return this.#nested(x, part.nested);
    const arms = part.arms.map((arm) => arm.reduce((y, spec) => this.layer(y, spec), x));
    return this.#join(x, part.join, arms);
  }

  /** The output of a layer, or its input where the layer does not fit. */
  layer(x: tf.SymbolicTensor, spec: LayerSpec): tf.SymbolicTensor {
    const name = this.#name(spec.kind);
    const shape = sizes(x);
    // TensorFlow.js' gradient counts each of several equal maxima.
    if (this.#variant === 'reference' && spec.kind === 'globalMaxPooling2d' && shape.length === 3) {
      const pooled = applied(() => tf.layers.maxPooling2d({ name, poolSize: [shape[0] ?? 1, shape[1] ?? 1] }), x);
      return pooled === undefined ? x : (applied(() => tf.layers.flatten({ name: `${name}_flat` }), pooled) ?? x);
    }
    const create = () => createLayer(spec, name, shape, this.#variant);
    const output = applied(create, x);
    if (output === undefined) return x;
    this.sequence.push(create);
    return output;
  }

  #nested(x: tf.SymbolicTensor, specs: readonly LayerSpec[]): tf.SymbolicTensor {
    const name = this.#name('nested');
    const input = tf.input({ shape: sizes(x), name: `${name}_input` });
    const output = specs.reduce((y, spec) => this.layer(y, spec), input);
    this.isSequential = false;
    if (output === input) return x;
    return applied(() => tf.model({ inputs: input, outputs: output, name }), x) ?? x;
  }

  #join(x: tf.SymbolicTensor, join: string, arms: readonly tf.SymbolicTensor[]): tf.SymbolicTensor {
    const name = this.#name(join);
    this.isSequential = false;
    const create = (): Layer => {
      if (join === 'concatenate1') return tf.layers.concatenate({ name, axis: 1 });
      if (join === 'dot') return tf.layers.dot({ name, axes: -1 });
      return tf.layers[join as 'add']({ name });
    };
    return applied(create, [...arms]) ?? arms[0] ?? x;
  }

  #name(kind: string): string {
    return `${kind}_${this.#count++}`;
  }
}

function sizes(x: tf.SymbolicTensor): number[] {
  return x.shape.slice(1).map(Number);
}

/** The output of a layer; undefined if it cannot be applied or leaves nothing. */
function applied(create: () => Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]): tf.SymbolicTensor | undefined {
  try {
    const output = create().apply(x);
    if (!(output instanceof tf.SymbolicTensor)) return undefined;
    return output.shape
      .slice(1)
      .every((size) => typeof size === 'number' && size > 0 && size < 300 && Number.isInteger(size))
      ? output
      : undefined;
  } catch {
    return undefined;
  }
}

function addEnd(builder: Builder, x: tf.SymbolicTensor, end: EndSpec): tf.SymbolicTensor {
  const layer = (y: tf.SymbolicTensor, kind: string, options: Options = {}) =>
    builder.layer(y, { kind, options, frozen: false });
  let y = end.pooling === 'none' ? x : layer(x, end.pooling);
  if (end.pooling !== 'none' && y.shape.length > 2) y = layer(y, 'flatten');
  const isInDense = end.place === 'dense';
  y = layer(y, 'dense', { units: end.classes, ...(isInDense ? { activation: end.activation } : {}) });
  if (end.dropout) y = layer(y, 'dropout', { rate: 0.5 });
  if (end.place === 'activation') y = layer(y, 'activation', { activation: end.activation });
  if (end.place === 'layer' && end.activation === 'softmax') y = layer(y, 'softmax');
  for (const spec of end.behind) y = builder.layer(y, spec);
  return y;
}

/** The model of a spec: layers that do not fit are left out. */
export function buildModel({ input, parts, end, seed, weights }: ModelSpec, variant: Variant): tf.LayersModel {
  const builder = new Builder(variant);
  const image = tf.input({ shape: [...input], name: 'image' });
  const features = parts.reduce((x, part) => builder.part(x, part), image);
  const output = addEnd(builder, features, end);
  const model =
    builder.isSequential && variant === 'model' && seed % 2 === 0
      ? sequential(input, builder.sequence)
      : tf.model({ inputs: image, outputs: output, name: 'model' });
  for (const layer of allLayers(model)) setWeights(layer, weights, seed);
  return model;
}

function sequential(input: readonly number[], layers: readonly (() => Layer)[]): tf.LayersModel {
  const model = tf.sequential({ name: 'model' });
  model.add(tf.layers.inputLayer({ inputShape: [...input], name: 'image' }));
  for (const create of layers) model.add(create());
  return model;
}

/** The layers of a model and of the models in it. */
export function allLayers({ layers }: tf.LayersModel): Layer[] {
  return layers.flatMap((layer) => (layer instanceof tf.LayersModel ? allLayers(layer) : [layer]));
}

/** Name of a layer's weight, the same in a model and its reference. */
export function nameIn(layer: Layer, index: number): string {
  const name = layer.weights[index]?.originalName.split('/').at(-1) ?? '';
  // Weights of wrappers have equal names, and a reference has more weights of normalizations.
  return `${layer.name}/${/Normalization$/.test(layer.getClassName()) ? name : `${index}_${name}`}`;
}

/** Random weights that depend on the layer's name and the weight's only; scales and variances are positive. */
function setWeights(layer: Layer, values: Values, seed: number): void {
  for (const [index, variable] of layer.weights.entries()) {
    const name = nameIn(layer, index);
    const extents = variable.shape.map(Number);
    const random = createRandom(seed, name);
    const fan = extents.slice(0, -1).reduce((a, b) => a * b, 1);
    const draw = numbers(values, random);
    const isAdded = added.get(layer)?.some((one) => name.endsWith(one)) ?? false;
    const value = () => {
      if (isAdded) return /gamma/.test(name) ? 1 : 0;
      if (/variance|gamma/.test(name)) return 0.5 + random.uniform();
      return values === 'tied' ? draw() : (1.5 * draw()) / Math.sqrt(Math.max(1, fan));
    };
    variable.write(tf.tensor(Float32Array.from({ length: extents.reduce((a, b) => a * b, 1) }, value), extents));
  }
}

/** Random numbers around 0; tied ones are −1, −0.5, 0, 0.5 and 1. */
export function numbers(values: Values, random: { uniform(): number; normal(): number }): () => number {
  return values === 'normal' ? () => random.normal() : () => Math.round(4 * random.uniform() - 2) / 2;
}
