import {
  at,
  type Backbone,
  type BackboneBlock,
  type BackboneFactory,
  formatShape,
  type JsonObject,
  LocalgradError,
  type ParameterScope,
  type Shape3,
  sameShape,
} from '@localgrad/core';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import type { LayersModel } from '@tensorflow/tfjs';
import type { NormStatistics } from './blocks/layer-context.js';
import { withoutSoftmax } from './class-scores.js';
import { layerGraph, unsupported } from './layer-graph.js';
import type { Binding, WeightSource } from './layer-weights.js';
import { segmentBlock } from './segment-block.js';
import { type Segment, segmentsOf } from './segments.js';

export interface LayersBackboneOptions {
  /** Names of layers after which a block must end, in addition to the automatic cuts. */
  readonly cuts?: readonly string[];
  /**
   * Running statistics of batch norms: `layer` (default) moves them as the layer does in `model.fit` (biased variance),
   * `pytorch` as PyTorch (unbiased).
   */
  readonly statistics?: NormStatistics;
}

/** A model's blocks before they are built, and what is needed to build them. */
export interface LayersBackboneSource extends LayersBackboneOptions {
  readonly model: LayersModel;
  /** Default: reads the model's weights. */
  readonly readWeight?: WeightSource['readWeight'];
  /** Creates the model again, to write weights into it; owned by the caller. Without it, `trainedLayersModel` returns nothing. */
  readonly restore?: () => Promise<LayersModel>;
  /** Name of the backbone; default: `layers/` and the model's name. */
  readonly name?: string;
  /** From which a user of the backbone rebuilds it; the default names the model. */
  readonly config?: JsonObject;
}

/** A factory whose backbones have a fixed input shape and number of classes. */
export interface LayersBackboneFactory extends BackboneFactory {
  readonly images: Required<BackboneFactory>['images'];
}

/** Where the parameters of a backbone come from. */
export interface BackboneOrigin {
  readonly bindings: readonly Binding[];
  readonly restore: (() => Promise<LayersModel>) | undefined;
}

const origins = new WeakMap<Backbone, BackboneOrigin>();

/** The origin of a backbone that was built from a model of layers; undefined for other backbones. */
export function originOf(backbone: Backbone): BackboneOrigin | undefined {
  return origins.get(backbone);
}

/**
 * A factory of backbones with the layers and weights of a model. Blocks and classifier are cut as `fromLayersModel`
 * describes.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `build` throws `shape-mismatch` for other images or classes
 */
export function layersBackbone(source: LayersBackboneSource): LayersBackboneFactory {
  const { model, cuts, statistics = 'layer' } = source;
  const graph = withoutSoftmax(layerGraph(model));
  const segments = segmentsOf(graph, cuts);
  const inputShape = imageShape(model.name, graph.inputShape);
  const [classes = 0] = at(graph.nodes, graph.nodes.length - 1, 'layer').shape;
  const images = { inputShape, classes };
  const { name = `layers/${model.name}`, config = { backbone: 'layers-model', model: model.name } } = source;
  const readWeight = source.readWeight ?? ((variable) => variable.read().clone());
  return {
    name,
    config,
    images,
    build: (options) => {
      requireShapes(model.name, images, options);
      const created: Binding[] = [];
      const weights: WeightSource = { readWeight, onCreated: (binding) => created.push(binding) };
      const { blocks, classifier } = buildSegments(segments, inputShape, options.scope, {
        source: weights,
        statistics,
      });
      const backbone: Backbone = { name, config, inputShape, classes, blocks, classifier };
      origins.set(backbone, { bindings: created, restore: source.restore });
      return backbone;
    },
  };
}

function buildSegments(
  segments: readonly Segment[],
  inputShape: Shape3,
  scope: ParameterScope,
  options: Parameters<typeof segmentBlock>[3],
): Pick<Backbone, 'blocks' | 'classifier'> {
  const blocks: BackboneBlock[] = [];
  let shape = inputShape;
  let stage = 0;
  let index = 0;
  for (const [position, segment] of segments.slice(0, -1).entries()) {
    const block = segmentBlock(segment, shape, scope, options);
    const isNewStage = position === 1 || (position > 1 && !sameShape(block.outputShape, shape));
    if (isNewStage) stage++;
    index = isNewStage || position === 0 ? 0 : index + 1;
    blocks.push({ reference: [stage, index], block });
    shape = block.outputShape;
  }
  const last = segmentBlock(at(segments, segments.length - 1, 'segment'), shape, scope, options);
  return { blocks, classifier: blockHead({ name: 'classifier', blocks: [last], loss: softmaxCrossEntropy }) };
}

/** The image that a model reads: [h, w] are gray images, [c] a row of values. */
function imageShape(model: string, shape: readonly number[]): Shape3 {
  const [height, width, channels = 1, ...others] = shape;
  if (height === undefined || others.length > 0) {
    throw unsupported(
      model,
      `its input has shape ${['batch', ...shape].join('×')}; expected batch×height×width×channels`,
    );
  }
  return width === undefined ? [1, 1, height] : [height, width, channels];
}

function requireShapes(
  model: string,
  own: { readonly inputShape: Shape3; readonly classes: number },
  given: { readonly inputShape: Shape3; readonly classes: number },
): void {
  if (!sameShape(own.inputShape, given.inputShape)) {
    throw new LocalgradError(
      'shape-mismatch',
      `Model '${model}' reads images of ${formatShape(own.inputShape)}, but those of the data set are ${formatShape(given.inputShape)}; resize or pad them.`,
      { model, expected: own.inputShape, found: given.inputShape },
    );
  }
  if (own.classes !== given.classes) {
    throw new LocalgradError(
      'shape-mismatch',
      `Model '${model}' has ${own.classes} classes, but the data set has ${given.classes}.`,
      { model, expected: own.classes, found: given.classes },
    );
  }
}
