import {
  createNetwork,
  LocalgradError,
  type Network,
  type Partition,
  requireOption,
  resolvePartition,
} from '@localgrad/core';
import { costOf } from '@localgrad/nn/cost';
import { createScope, type RootScope } from '@localgrad/nn/random';
import type { LayersModel } from '@tensorflow/tfjs';
import { type LayersBackboneOptions, layersBackbone } from './layers-backbone.js';
import { writeWeights } from './write-weights.js';

export interface FromLayersModelOptions extends Pick<LayersBackboneOptions, 'statistics'> {
  /**
   * Number of modules, with blocks distributed evenly; or the names of the layers after which modules end, in forward
   * order, except the last module, which ends before the classifier.
   */
  readonly cuts: number | readonly string[];
  /** Scope for the parameters; default: a new one. Pass it to `compilePlan` too. */
  readonly scope?: RootScope;
}

/** A model of TensorFlow.js layers as a network. */
export interface LayersNetwork {
  /** Its parameters are copies of the model's weights, named `<layer>.weight` and so on. */
  readonly network: Network;
  /** For `compilePlan`, which creates the heads' parameters in it. */
  readonly scope: RootScope;
  /**
   * Copies weights and moving statistics into the model, or into another one with the same layers.
   *
   * @throws LocalgradError `shape-mismatch` if the other model has other layers or weights
   */
  writeWeights(model?: LayersModel): void;
  /** Disposes all parameters of the scope. */
  dispose(): void;
}

/**
 * Turns a sequential or functional model of TensorFlow.js layers (Keras) into a network for local learning, with any
 * method and decorator. The model itself stays as it is until `writeWeights`.
 *
 * The model is cut into blocks where a single tensor leads on. Convolutions, dense layers, batch norm, dropout, pooling,
 * padding, reshaping, ReLU and sigmoid, sums and concatenations have gradients of their own; other deterministic layers are
 * differentiated by the tape. The last block is the classifier, whose softmax becomes part of the cross-entropy loss.
 *
 * @throws LocalgradError `invalid-option` for unsupported layers, graphs and cuts; `unknown-name` for unknown cuts
 */
export function fromLayersModel(model: LayersModel, options: FromLayersModelOptions): LayersNetwork {
  const { scope = createScope(0) } = options;
  const dispose = () => {
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  try {
    const network = networkOf(model, { ...options, scope });
    return { network, scope, writeWeights: (target = model) => writeWeights(network.backbone, target), dispose };
  } catch (error) {
    if (options.scope === undefined) dispose();
    throw error;
  }
}

function networkOf(model: LayersModel, options: FromLayersModelOptions & { readonly scope: RootScope }): Network {
  const { cuts, statistics, scope } = options;
  const isNumber = typeof cuts === 'number';
  if (!isNumber) requireOption(Array.isArray(cuts), 'fromLayersModel', 'cuts', cuts, 'a number or names of layers');
  const factory = layersBackbone({
    model,
    ...(statistics === undefined ? {} : { statistics }),
    ...(isNumber ? {} : { cuts }),
  });
  const backbone = factory.build({ ...factory.images, scope });
  const partition = isNumber
    ? resolvePartition(backbone.blocks, { modules: cuts }, costOf)
    : partitionAt(
        backbone.blocks.map(({ block }) => block.name),
        cuts,
      );
  return createNetwork(backbone, partition);
}

/** Blocks per module; blocks are named after their last layers. */
function partitionAt(blocks: readonly string[], cuts: readonly string[]): Partition {
  const ends = [...cuts.map((name) => blocks.indexOf(name) + 1), blocks.length];
  const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0));
  if (sizes.some((size) => size < 1)) {
    const last = cuts.at(-1) ?? '';
    throw new LocalgradError(
      'invalid-option',
      `Layer '${last}' ends the last module, which always ends before the classifier; remove it from the cuts.`,
      { layer: last },
    );
  }
  return sizes;
}
