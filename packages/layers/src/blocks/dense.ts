import type { Block } from '@localgrad/core';
import { batchNorm, dropout, positionwiseDense } from '@localgrad/nn/blocks';
import { fusedActivation } from './activations.js';
import type { LayerContext } from './layer-context.js';

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
      epsilon: config.number('epsilon', 1e-3),
      momentum: 1 - config.number('momentum', 0.99),
      runningVariance: options.statistics === 'layer' ? 'biased' : 'unbiased',
    }),
  ];
}

/** Dropout, with the random numbers of the run's seed. */
export function dropoutBlocks(context: LayerContext): Block[] {
  const { name, config, inputShape } = context;
  if (config.has('noiseShape')) throw context.unsupported('has a noiseShape; allowed: none');
  return [dropout({ name, scope: context.scope(), inputShape, rate: config.number('rate') })];
}
