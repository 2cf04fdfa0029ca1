import { at } from '@localgrad/core';
import { LayerConfig } from './layer-config.js';
import { type LayerGraph, type LayerNode, unsupported } from './layer-graph.js';

/**
 * The graph without its final softmax, which is part of the cross-entropy loss: its output are class scores.
 *
 * @throws LocalgradError `invalid-option` for outputs that are no class scores
 */
export function withoutSoftmax(graph: LayerGraph): LayerGraph {
  const { nodes, model } = graph;
  const last = at(nodes, nodes.length - 1, 'layer');
  const { shape, name } = last;
  if (shape.length !== 1) {
    throw unsupported(model, `its output '${name}' has shape ${formatted(shape)}; expected batch×classes`, {
      layer: name,
    });
  }
  let output = last;
  for (let source: LayerNode | undefined = last; source !== undefined && keepsValues(output); ) {
    source = nodes[output.inputs[0] ?? -1];
    output = source ?? output;
  }
  const activation = activationOf(output);
  if (activation !== 'linear' && activation !== 'softmax') {
    throw unsupported(
      model,
      `its output layer '${output.name}' ends with ${activation}; allowed: softmax, or linear class scores`,
      { layer: output.name, activation },
    );
  }
  if (shape[0] === 1) {
    const problem = `its output '${name}' is a single number; expected scores of 2 classes or more`;
    throw unsupported(model, problem, { layer: name });
  }
  if (activation === 'linear') {
    rejectProbabilities(graph, output);
    return graph;
  }
  if (output.shape.at(-1) !== shape[0]) {
    throw unsupported(
      model,
      `its output layer '${output.name}' has several softmaxes, of shape ${formatted(output.shape)}; allowed: one, over all classes`,
      { layer: output.name, shape: output.shape },
    );
  }
  return { ...graph, nodes: nodes.map((node) => (node === output ? { ...node, omitsSoftmax: true } : node)) };
}

/** A cross-entropy would take a second softmax of probabilities that are dropped, pooled or averaged. */
function rejectProbabilities({ nodes, model }: LayerGraph, output: LayerNode): void {
  const softmax = softmaxBefore(nodes, output);
  if (softmax === undefined) return;
  const layer = `'${output.name}' (${output.layer.getClassName()})`;
  throw unsupported(
    model,
    `its output layer ${layer} follows the softmax of '${softmax.name}'; allowed: a softmax as the last layer, or linear class scores`,
    { layer: output.name, softmax: softmax.name },
  );
}

/** The softmax whose probabilities a layer combines, directly or through other such layers. */
function softmaxBefore(nodes: readonly LayerNode[], node: LayerNode): LayerNode | undefined {
  if (activationOf(node) === 'softmax') return node;
  if (!keepsValues(node) && !combining.test(node.layer.getClassName())) return undefined;
  const sources = node.inputs.map((input) => {
    const source = nodes[input];
    return source && softmaxBefore(nodes, source);
  });
  return sources.includes(undefined) ? undefined : sources[0];
}

/** Layers of whose outputs each value is one of the inputs', or between them. */
const combining =
  /^(?:Dropout|(?:Global)?(?:Average|Max)Pooling[12]D|Average|Maximum|Minimum|Add|Multiply|Concatenate)$/;

/** Layers that only arrange the values of their input. */
const arranging = new Set(['Reshape', 'Flatten', 'Permute']);

function keepsValues({ layer }: LayerNode): boolean {
  const className = layer.getClassName();
  return arranging.has(className) || (className === 'Activation' && layer.getConfig().activation === 'linear');
}

/** Layers that are activations by themselves, and the names of these. */
const activationLayers: Readonly<Record<string, string>> = {
  Softmax: 'softmax',
  ReLU: 'relu',
  LeakyReLU: 'leakyRelu',
  PReLU: 'prelu',
  ELU: 'elu',
  ThresholdedReLU: 'thresholdedRelu',
};

function activationOf({ layer }: LayerNode): string {
  const config = new LayerConfig(layer);
  return activationLayers[config.className] ?? config.text('activation', 'linear');
}

function formatted(shape: readonly number[]): string {
  return ['batch', ...shape].join('×');
}
