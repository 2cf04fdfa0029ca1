import { type Block, LocalgradError, type Shape3, trainingMode } from '@localgrad/core';
import { tapeBlock } from '@localgrad/nn/tape';
import { type Rank, reshape, type Tensor, type Tensor4D, zeros } from '@tensorflow/tfjs';
import type { Layer } from '../layer-graph.js';
import type { LayerContext } from './layer-context.js';
import { requirePure } from './pure-layer.js';
import { requireGradient } from './require-gradient.js';

/** A layer differentiated by the tape; the forward pass runs the layer's own code. */
export function layerOnTape(context: LayerContext): Block {
  requirePure(context);
  const { node, name, inputShape, outputShape } = context;
  const block = tapeBlock({
    name,
    inputShape,
    outputShape,
    parameters: context.ownParameters(),
    fn: (x, values, { mode }) =>
      runLayer({ ...node, outputShape, inputs: [x], weights: values, training: mode.training }),
  });
  requireGradient(context, () => {
    const x = zeros<Rank.R4>([1, ...inputShape]);
    const pass = block.forward(x, trainingMode);
    const dy = zeros<Rank.R4>([1, ...outputShape]);
    block.vjp(pass, dy, { input: node.followsWeights, parameters: true, release: true });
  });
  return block;
}

interface LayerRun {
  readonly layer: Layer;
  readonly name: string;
  /** Feature maps. */
  readonly inputs: readonly Tensor4D[];
  /** Shapes that the layer expects, without the batch. */
  readonly inputShapes: readonly (readonly number[])[];
  readonly outputShape: Shape3;
  /** In the order of the layer's weights. */
  readonly weights: readonly Tensor[];
  readonly training: boolean;
}

/** Runs a layer's own code with other weights; the result is a feature map. */
export function runLayer(run: LayerRun): Tensor4D {
  const { layer, name, inputs, inputShapes, outputShape, weights, training } = run;
  const tensors = inputs.map((x, index) => reshape(x, [x.shape[0], ...(inputShapes[index] ?? [])]));
  const [first, ...others] = tensors;
  if (first === undefined) throw new LocalgradError('misuse', `Layer '${name}' has no inputs.`, { layer: name });
  const given = others.length === 0 ? first : tensors;
  const result = withWeights(layer, weights, () => layer.call(given, { training }));
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined) throw new LocalgradError('misuse', `Layer '${name}' returned nothing.`, { layer: name });
  return reshape<Rank.R4>(output, [output.shape[0] ?? 0, ...outputShape]);
}

/** While `run` runs, the layer reads these tensors instead of its own weights. */
function withWeights<Result>({ weights }: Layer, tensors: readonly Tensor[], run: () => Result): Result {
  const replaced = weights.flatMap((variable, index) => {
    const tensor = tensors[index];
    if (tensor === undefined) return [];
    variable.read = () => tensor;
    return [variable];
  });
  try {
    return run();
  } finally {
    for (const variable of replaced) Reflect.deleteProperty(variable, 'read');
  }
}
