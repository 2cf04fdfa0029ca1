import { at, LocalgradError } from '@localgrad/core';
import { LayersModel, type SymbolicTensor } from '@tensorflow/tfjs';

/** A layer of a model of TensorFlow.js layers. */
export type Layer = LayersModel['layers'][number];

/** Index of a node whose output is meant, or −1 for the model's input. */
export type TensorIndex = number;
export const modelInput: TensorIndex = -1;

/** One call of a layer. */
export interface LayerNode {
  readonly layer: Layer;
  /** Unique within the graph. */
  readonly name: string;
  readonly inputs: readonly TensorIndex[];
  /** Shape of each input, without the batch. */
  readonly inputShapes: readonly (readonly number[])[];
  /** Shape of the output, without the batch. */
  readonly shape: readonly number[];
  /** Whether layers with weights precede, so that gradients propagate through this one. */
  readonly followsWeights: boolean;
  /** Whether the layer's softmax is left to the loss. */
  readonly omitsSoftmax?: boolean;
}

/** The layers of a model in forward order, with those of nested models in their place. */
export interface LayerGraph {
  readonly model: string;
  /** Shape of the input, without the batch. */
  readonly inputShape: readonly number[];
  /** The last node computes the model's output; every node leads to it. */
  readonly nodes: readonly LayerNode[];
}

/**
 * Reads the graph of a model.
 *
 * @throws LocalgradError `invalid-option` for several inputs or outputs, shared weights and undefined sizes, naming the
 *   layer
 */
export function layerGraph(model: LayersModel): LayerGraph {
  requireLayersModel(model);
  // Other than their types say, both are missing in an empty sequential model.
  const { inputs = [], outputs = [] } = model;
  if (inputs.length === 0) throw unsupported(model.name, 'it has no layers');
  for (const [side, tensors] of [
    ['inputs', inputs],
    ['outputs', outputs],
  ] as const) {
    if (tensors.length === 1) continue;
    const names = tensors.map(({ sourceLayer }) => `'${sourceLayer.name}'`).join(', ');
    throw unsupported(model.name, `it has ${tensors.length} ${side} (${names}); expected one`, { side });
  }
  const input = at(inputs, 0, 'input');
  const reader = new GraphReader(model.name);
  const output = reader.read(at(outputs, 0, 'output'), new Map([[input.id, modelInput]]));
  if (output === modelInput) throw unsupported(model.name, 'it has no layers; its output is its input');
  return { model: model.name, inputShape: reader.sizesOf(input), nodes: reader.nodes };
}

/** Programs in JavaScript pass what `tf.loadGraphModel` returns, or a promise. */
function requireLayersModel(model: unknown): void {
  if (typeof model === 'object' && model !== null && 'getLayer' in model) return;
  const className = (typeof model === 'object' && model?.constructor.name) || String(model);
  throw new LocalgradError(
    'invalid-option',
    `The model is ${className}; allowed: a model of TensorFlow.js layers, of tf.sequential, tf.model or tf.loadLayersModel.`,
    { found: className },
  );
}

/** An error about a model that cannot be cut into blocks. */
export function unsupported(model: string, problem: string, details: Readonly<Record<string, unknown>> = {}) {
  return new LocalgradError('invalid-option', `Model '${model}' is not supported: ${problem}.`, { model, ...details });
}

class GraphReader {
  readonly nodes: LayerNode[] = [];
  readonly #model: string;
  readonly #calls = new Map<Layer, number>();

  constructor(model: string) {
    this.#model = model;
  }

  /** @param known tensors that were read before, by ID */
  read(tensor: SymbolicTensor, known: Map<number, TensorIndex>): TensorIndex {
    const before = known.get(tensor.id);
    if (before !== undefined) return before;
    const { sourceLayer: layer, nodeIndex } = tensor;
    const { inputTensors, outputTensors } = at(layer.inboundNodes, nodeIndex, `call of layer '${layer.name}'`);
    if (inputTensors.length === 0) {
      throw unsupported(this.#model, `'${layer.name}' is a second input; expected one input`, { layer: layer.name });
    }
    if (outputTensors.length > 1) {
      const problem = `layer '${layer.name}' has ${outputTensors.length} outputs; expected one`;
      throw unsupported(this.#model, problem, { layer: layer.name });
    }
    const inputs = inputTensors.map((one) => this.read(one, known));
    const index =
      layer instanceof LayersModel ? this.#readNested(layer, inputs) : this.#add(layer, tensor, inputs, inputTensors);
    known.set(tensor.id, index);
    return index;
  }

  /** Shape without the batch. */
  sizesOf({ shape, sourceLayer }: SymbolicTensor): number[] {
    return shape.slice(1).map((size) => {
      if (typeof size === 'number' && size > 0) return size;
      const text = shape.map((one) => one ?? '?').join('×');
      throw unsupported(
        this.#model,
        `layer '${sourceLayer.name}' has an output of undefined size (${text}); build the model with a complete input shape`,
        { layer: sourceLayer.name, shape },
      );
    });
  }

  #readNested(nested: LayersModel, inputs: readonly TensorIndex[]): TensorIndex {
    const [input, ...others] = nested.inputs;
    const [output, ...more] = nested.outputs;
    if (input === undefined || output === undefined || others.length + more.length > 0) {
      throw unsupported(this.#model, `the nested model '${nested.name}' needs one input and one output`, {
        layer: nested.name,
      });
    }
    return this.read(output, new Map([[input.id, at(inputs, 0, 'input')]]));
  }

  #add(
    layer: Layer,
    tensor: SymbolicTensor,
    inputs: readonly TensorIndex[],
    inputTensors: readonly SymbolicTensor[],
  ): TensorIndex {
    const calls = (this.#calls.get(layer) ?? 0) + 1;
    this.#calls.set(layer, calls);
    if (calls > 1 && layer.weights.length > 0) {
      throw unsupported(
        this.#model,
        `layer '${layer.name}' is used ${calls} times; layers with weights cannot be shared`,
        {
          layer: layer.name,
        },
      );
    }
    if (this.nodes.some((node) => node.layer !== layer && node.name === layer.name)) {
      throw unsupported(this.#model, `two layers are named '${layer.name}'; names must be unique`, {
        layer: layer.name,
      });
    }
    this.nodes.push({
      layer,
      name: calls > 1 ? `${layer.name}_call${calls}` : layer.name,
      inputs,
      inputShapes: inputTensors.map((one) => this.sizesOf(one)),
      shape: this.sizesOf(tensor),
      followsWeights: inputs.some((input) => {
        const source = this.nodes[input];
        return source !== undefined && (source.followsWeights || source.layer.weights.length > 0);
      }),
    });
    return this.nodes.length - 1;
  }
}
