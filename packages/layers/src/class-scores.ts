import { at } from '@localgrad/core';
import { LayerConfig } from './layer-config.js';
import { type LayerGraph, unsupported } from './layer-graph.js';

const reshaping = new Set(['Reshape', 'Flatten']);

/**
 * The graph without its final softmax, which is part of the cross-entropy loss: its output are class scores.
 *
 * @throws LocalgradError `invalid-option` for outputs that are no class scores
 */
export function withoutSoftmax(graph: LayerGraph): LayerGraph {
  const { nodes, model } = graph;
  const last = at(nodes, nodes.length - 1, 'layer');
  if (last.shape.length !== 1) {
    const shape = ['batch', ...last.shape].join('×');
    throw unsupported(model, `its output '${last.name}' has shape ${shape}; expected batch×classes`, {
      layer: last.name,
    });
  }
  let index = nodes.length - 1;
  while (reshaping.has(at(nodes, index, 'layer').layer.getClassName())) {
    const [input = -1] = at(nodes, index, 'layer').inputs;
    if (input < 0) break;
    index = input;
  }
  const output = at(nodes, index, 'layer');
  const activation = activationOf(new LayerConfig(output.layer));
  if (activation === 'softmax' && output.shape.at(-1) !== last.shape[0]) {
    const shape = ['batch', ...output.shape].join('×');
    throw unsupported(
      model,
      `its output layer '${output.name}' has several softmaxes, of shape ${shape}; allowed: one, over all classes`,
      { layer: output.name, shape: output.shape },
    );
  }
  if (activation === 'linear') return graph;
  if (activation !== 'softmax') {
    throw unsupported(
      model,
      `its output layer '${output.name}' ends with ${activation}; allowed: softmax, or linear class scores`,
      { layer: output.name, activation },
    );
  }
  return { ...graph, nodes: nodes.map((node) => (node === output ? { ...node, omitsSoftmax: true } : node)) };
}

function activationOf(config: LayerConfig): string {
  if (config.className === 'Softmax') return 'softmax';
  return config.text('activation', 'linear');
}
