import type { Initializer, JsonObject, RandomSource } from '@localgrad/core';
import { constant, ones, truncatedNormal, zeros } from '@localgrad/nn/random';
import type { LayerConfig } from './layer-config.js';

/**
 * New initial values for a weight of a layer, by the initializer in the layer's config: constants and variance scaling
 * (Glorot, He and LeCun, by Keras' fans). Other random initializers become Glorot's uniform distribution.
 *
 * @param weight Keras' name, e.g. `kernel` or `moving_mean`
 */
export function freshWeights(config: LayerConfig, weight: string): Initializer {
  const own = weight.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  // The option for `depthwise_kernel` is `depthwiseInitializer`.
  const found = config.object(`${own}Initializer`) ?? config.object(`${own.replace(/Kernel$/, '')}Initializer`);
  if (found?.className === 'Zeros' || (found === undefined && weight === 'bias')) return zeros;
  if (found?.className === 'Ones') return ones;
  if (found?.className === 'Constant') return constant(numberIn(found.config, 'value', 0));
  if (found?.className !== 'VarianceScaling')
    return varianceScaling({ scale: 1, mode: 'fanAvg', distribution: 'uniform' });
  return varianceScaling(found.config);
}

function varianceScaling(config: JsonObject): Initializer {
  return (shape, random) => {
    const [fanIn, fanOut] = fansOf(shape);
    const fan = { fanIn, fanOut }[String(config.mode)] ?? (fanIn + fanOut) / 2;
    const variance = numberIn(config, 'scale', 1) / Math.max(1, fan);
    if (config.distribution !== 'uniform') {
      // Keras cuts off at two deviations, ours at ±2.
      const values = truncatedNormal(1)(shape, random);
      return values.map((value) => Math.sqrt(variance) * value);
    }
    return uniform(shape, random, Math.sqrt(3 * variance));
  };
}

function uniform(shape: readonly number[], random: RandomSource, bound: number): Float32Array {
  return new Float32Array(productOf(shape)).map(() => bound * (2 * random.uniform() - 1));
}

/** Inputs and outputs that a weight connects, as Keras counts them. */
function fansOf(shape: readonly number[]): readonly [fanIn: number, fanOut: number] {
  const field = productOf(shape.slice(0, -2));
  const inputs = shape.at(-2);
  const outputs = shape.at(-1);
  if (inputs !== undefined && outputs !== undefined) return [field * inputs, field * outputs];
  return [Math.sqrt(productOf(shape)), Math.sqrt(productOf(shape))];
}

function productOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function numberIn(config: JsonObject, key: string, fallback: number): number {
  const value = config[key];
  return typeof value === 'number' ? value : fallback;
}
