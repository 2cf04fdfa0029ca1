import { layers } from '@tensorflow/tfjs';
import { LayerConfig } from '../layer-config.js';
import type { Layer } from '../layer-graph.js';
import type { LayerContext } from './layer-context.js';

/** Reasons why layers cannot run on the tape, which repeats their forward pass in the backward pass, by class. */
const unsupportedClasses: Readonly<Record<string, string>> = {
  Dropout: 'samples unrepeatable random numbers inside another layer',
  AlphaDropout: 'samples unrepeatable random numbers; allowed: Dropout',
  GaussianDropout: 'samples unrepeatable random numbers; allowed: Dropout',
  GaussianNoise: 'samples unrepeatable random numbers; allowed: Dropout',
  SpatialDropout1D: 'samples unrepeatable random numbers; allowed: Dropout',
  RandomHeight: 'samples unrepeatable random numbers; augment the images instead',
  RandomWidth: 'samples unrepeatable random numbers; augment the images instead',
  BatchNormalization: 'updates its statistics inside another layer',
  Masking: 'creates a mask, which blocks do not pass on',
  MultiHeadAttention: 'reads weights of layers that are not part of the graph',
};

/** @throws LocalgradError `invalid-option` for layers with random numbers, states or masks, alone or inside a wrapper */
export function requirePure(context: LayerContext): void {
  for (const layer of withInner(context.node.layer)) {
    const problem = problemOf(layer);
    if (problem !== undefined) throw context.unsupported(problem);
  }
}

/** A layer and those that it wraps. */
function withInner(layer: Layer): Layer[] {
  const inner = Object.values(layer)
    .flat()
    .filter((value): value is Layer => value instanceof layers.Layer);
  return [layer, ...inner.flatMap(withInner)];
}

function problemOf(layer: Layer): string | undefined {
  const config = new LayerConfig(layer);
  const reason = unsupportedClasses[config.className];
  if (reason !== undefined) return reason;
  if (layer.stateful) return 'keeps a state between batches; set stateful to false';
  if (config.boolean('maskZero', false)) return 'creates a mask (maskZero), which blocks do not pass on';
  const random = ['dropout', 'recurrentDropout'].find((key) => config.has(key) && config.number(key) > 0);
  return random === undefined
    ? undefined
    : `has ${random}, which samples unrepeatable random numbers; use a Dropout layer`;
}
