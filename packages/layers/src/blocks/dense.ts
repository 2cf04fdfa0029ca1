import type { Block } from '@localgrad/core';
import { batchNorm, dropout, layerNorm, positionwiseDense } from '@localgrad/nn/blocks';
import { fusedActivation } from './activations.js';
import type { LayerContext } from './layer-context.js';
import { layerOnTape } from './tape-layer.js';

/** Dense; on each position of a map by itself. */
export function denseBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape } = context;
  const scope = context.scope({ weight: 'kernel', bias: 'bias' });
  const bias = config.boolean('useBias', true);
  const dense = positionwiseDense({ name, scope, inputShape, units: config.number('units'), bias });
  return [dense, ...fusedActivation(context, dense.outputShape)];
}

/** BatchNormalization over the last axis. */
export function batchNormBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape, node, options } = context;
  const axis = config.number('axis', -1);
  if (axis !== -1 && axis !== node.shape.length) {
    throw context.unsupported(`normalizes axis ${axis}; allowed: −1, the last one`);
  }
  const momentum = config.number('momentum', 0.99);
  if (!(momentum >= 0 && momentum <= 1)) throw context.unsupported(`has the momentum ${momentum}; allowed: 0 to 1`);
  const scope = context.scope({
    weight: 'gamma',
    bias: 'beta',
    running_mean: 'moving_mean',
    running_var: 'moving_variance',
  });
  return [
    batchNorm({
      name,
      scope,
      inputShape,
      epsilon: epsilonOf(context),
      momentum: 1 - momentum,
      runningVariance: options.statistics === 'layer' ? 'biased' : 'unbiased',
    }),
  ];
}

/** LayerNormalization over the last axis; over others on the tape. */
export function layerNormBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape, node } = context;
  const [axis, ...others] = config.numbers('axis', -1);
  if (others.length > 0 || (axis !== -1 && axis !== node.shape.length)) return [layerOnTape(context)];
  const scope = context.scope({ weight: 'gamma', bias: 'beta' });
  return [layerNorm({ name, scope, inputShape, epsilon: epsilonOf(context) })];
}

function epsilonOf(context: LayerContext): number {
  const epsilon = context.config.number('epsilon', 1e-3);
  if (!(epsilon >= 0)) throw context.unsupported(`has the epsilon ${epsilon}; allowed: numbers ≥ 0`);
  return epsilon;
}

/** Dropout, with the random numbers of the run's seed. */
export function dropoutBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape } = context;
  if (config.has('noiseShape')) throw context.unsupported('has a noiseShape; allowed: none');
  const rate = config.number('rate');
  if (!(rate >= 0 && rate < 1)) throw context.unsupported(`has the rate ${rate}; allowed: at least 0, below 1`);
  return [dropout({ name, scope: context.scope(), inputShape, rate })];
}
