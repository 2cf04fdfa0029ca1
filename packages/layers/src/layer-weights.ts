import { type Initializer, LocalgradError, type Parameter, type ParameterScope } from '@localgrad/core';
import { frozenScope, zeros } from '@localgrad/nn/random';
import { reshape, type Tensor } from '@tensorflow/tfjs';
import { freshWeights } from './fresh-weights.js';
import { LayerConfig } from './layer-config.js';
import type { Layer } from './layer-graph.js';

/** A weight of a layer. */
export type LayerVariable = Layer['weights'][number];

/** The parameter of a block with the values of a layer's weight. */
export interface Binding {
  readonly layer: Layer;
  /** Index in the layer's weights. */
  readonly index: number;
  readonly parameter: Parameter;
}

/** Provides the initial values of the parameters of layers' blocks. */
export interface WeightSource {
  /** The value of a weight; owned by the caller. Without it, weights are freshly initialized. */
  readWeight?(variable: LayerVariable): Tensor;
  /** Called with each parameter that belongs to a weight. */
  onCreated?(binding: Binding): void;
}

/** Keras' name of a weight: `conv1/kernel` is `kernel`. */
export function weightName({ originalName }: LayerVariable): string {
  return originalName.slice(originalName.lastIndexOf('/') + 1);
}

/** The weight of a layer by Keras' name. */
export function variableOf(layer: Layer, weight: string): LayerVariable | undefined {
  return layer.weights.find((variable) => weightName(variable) === weight);
}

/** Shape of a weight; always defined once the layer is built. */
export function shapeOf({ shape }: LayerVariable): number[] {
  return shape.map(Number);
}

/**
 * A scope in which the parameters of a block have the values of a layer's weights. Weights that are not trainable are
 * frozen; so are parameters that the layer does not have (the scale of a batch norm without one), at their usual values.
 *
 * @param weights the weights by path below the scope
 */
export function layerScope(
  scope: ParameterScope,
  layer: Layer,
  weights: Readonly<Record<string, LayerVariable | undefined>>,
  source: WeightSource,
): ParameterScope {
  const config = new LayerConfig(layer);
  const nested = (inner: ParameterScope, path: string): ParameterScope => ({
    prefix: inner.prefix,
    scope: (name) => nested(inner.scope(name), `${path}${name}.`),
    parameter: (name, shape, initializer, kind) => {
      const variable = weights[`${path}${name}`];
      if (variable === undefined) return frozenScope(inner).parameter(name, shape, initializer, kind);
      requireSize(layer, variable, shape);
      const target = layer.trainable && variable.trainable ? inner : frozenScope(inner);
      const value = source.readWeight?.(variable);
      // Keras' shape determines the variance of fresh weights.
      const fresh: Initializer = (_, random) => freshWeights(config, weightName(variable))(shapeOf(variable), random);
      const parameter = target.parameter(name, shape, value === undefined ? fresh : zeros, kind);
      if (value !== undefined) {
        parameter.assign(reshape(value, [...shape]));
        value.dispose();
      }
      source.onCreated?.({ layer, index: layer.weights.indexOf(variable), parameter });
      return parameter;
    },
  });
  return nested(scope, '');
}

function requireSize(layer: Layer, variable: LayerVariable, expected: readonly number[]): void {
  const product = (extents: readonly number[]) => extents.reduce((result, extent) => result * extent, 1);
  const shape = shapeOf(variable);
  if (product(shape) === product(expected)) return;
  throw new LocalgradError(
    'shape-mismatch',
    `Layer '${layer.name}': weight '${weightName(variable)}' has shape [${shape.join(', ')}]; expected [${expected.join(', ')}].`,
    { layer: layer.name, shape, expected },
  );
}
