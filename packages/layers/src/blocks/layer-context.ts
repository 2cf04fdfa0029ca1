import { at, type Block, LocalgradError, type Parameter, type ParameterScope, type Shape3 } from '@localgrad/core';
import { zeros } from '@localgrad/nn/random';
import { canonicalShape } from '../canonical-shape.js';
import { LayerConfig } from '../layer-config.js';
import type { LayerNode } from '../layer-graph.js';
import { layerScope, shapeOf, variableOf, type WeightSource, weightName } from '../layer-weights.js';

/** Running statistics of batch norms: as the layer updates its own (biased variance), or as PyTorch (unbiased). */
export type NormStatistics = 'layer' | 'pytorch';

export interface BlockOptions {
  readonly source: WeightSource;
  readonly statistics: NormStatistics;
}

/** A layer that becomes blocks. */
export class LayerContext {
  readonly node: LayerNode;
  readonly config: LayerConfig;
  readonly options: BlockOptions;
  readonly #scope: ParameterScope;

  /** @param scope of the block; the layer's parameters are created below its name */
  constructor(node: LayerNode, scope: ParameterScope, options: BlockOptions) {
    this.node = node;
    this.config = new LayerConfig(node.layer);
    this.options = options;
    this.#scope = scope.scope(node.name);
  }

  get name(): string {
    return this.node.name;
  }

  /** The layer's only input. */
  get inputShape(): Shape3 {
    const [shape, ...others] = this.node.inputShapes;
    if (shape === undefined || others.length > 0) {
      throw this.unsupported(
        `has ${this.node.inputShapes.length} inputs; layers that combine several are Add, Concatenate, Multiply, Average, Maximum, Minimum and Dot`,
      );
    }
    return this.mapOf(shape);
  }

  get outputShape(): Shape3 {
    return this.mapOf(this.node.shape);
  }

  /** The feature map of a tensor. */
  mapOf(shape: readonly number[]): Shape3 {
    const map = canonicalShape(shape);
    if (map !== undefined) return map;
    throw this.unsupported(
      `has a tensor of shape ${['batch', ...shape].join('×')}; allowed: one to three axes besides the batch`,
    );
  }

  /** @param weights Keras' names of weights by path below the layer's scope: `{ weight: 'kernel' }` */
  scope(weights: Readonly<Record<string, string>> = {}): ParameterScope {
    const { layer } = this.node;
    const entries = Object.entries(weights).map(([path, weight]) => [path, variableOf(layer, weight)] as const);
    return layerScope(this.#scope, layer, Object.fromEntries(entries), this.options.source);
  }

  /** A parameter for each weight of the layer, in their order and shapes. */
  ownParameters(): Parameter[] {
    const { layer } = this.node;
    const names = layer.weights.map((variable, index) => {
      const name = weightName(variable);
      return layer.weights.filter((other) => weightName(other) === name).length > 1 ? `${name}_${index}` : name;
    });
    const entries = layer.weights.map((variable, index) => [at(names, index, 'weight'), variable] as const);
    const scope = layerScope(this.#scope, layer, Object.fromEntries(entries), this.options.source);
    return entries.map(([name, variable]) => scope.parameter(name, shapeOf(variable), zeros));
  }

  /** Requires the layout that all blocks have. */
  requireChannelsLast(): void {
    if (this.config.text('dataFormat', 'channelsLast') !== 'channelsLast') {
      throw this.unsupported("has dataFormat 'channelsFirst'; allowed: channelsLast");
    }
  }

  unsupported(problem: string): LocalgradError {
    const { className } = this.config;
    return new LocalgradError('invalid-option', `Layer '${this.name}' (${className}) ${problem}.`, {
      layer: this.name,
      className,
    });
  }
}

/** The blocks that compute a layer, in sequence; none for the identity. */
export type LayerBlocks = (context: LayerContext) => Block[];
