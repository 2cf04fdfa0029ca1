import type { Block } from './block.js';
import type { Head } from './head.js';
import type { JsonObject } from './json.js';
import type { ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/** `(stage, index)`: stage 0 is the stem, stages count from 1, blocks in a stage from 0 (docs/methods/README.md §1). */
export type BlockReference = readonly [stage: number, index: number];

/** Formats a reference for messages and names, e.g. `(1,0)`. */
export function formatReference([stage, index]: BlockReference): string {
  return `(${stage},${index})`;
}

/** A block of a backbone with its position. */
export interface BackboneBlock {
  /** Stage and index of the block; unique in the backbone. */
  readonly reference: BlockReference;
  /** The block itself. */
  readonly block: Block;
}

/** A network as a sequence of blocks, starting with the stem, followed by a classifier. */
export interface Backbone {
  /** Name of the architecture, e.g. `resnet32`. */
  readonly name: string;
  /** Plain data that rebuilds the backbone's factory. */
  readonly config: JsonObject;
  /** Image shape [height, width, channels]. */
  readonly inputShape: Shape3;
  /** Number of classes of the classifier. */
  readonly classes: number;
  /** Blocks from the stem to the last block; the output shape of each is the input shape of the next. */
  readonly blocks: readonly BackboneBlock[];
  /** Global pooling, dense layer and cross-entropy on the last block's output. */
  readonly classifier: Head;
  /**
   * The factory that built it. Optional; required to evaluate images of another size, for which the factory builds the blocks
   * again around the same parameters (`networkForImages` of `@localgrad/engine`).
   */
  readonly factory?: BackboneFactory;
}

/** Input of a backbone factory. */
export interface BackboneOptions {
  /** Image shape, channels last. */
  readonly inputShape: Shape3;
  /** Number of classes of the classifier. */
  readonly classes: number;
  /** Scope in which the weights are created. */
  readonly scope: ParameterScope;
}

/** Builds a backbone. `config` contains everything needed to rebuild the factory. */
export interface BackboneFactory {
  /** Name of the architecture, e.g. `resnet32`. */
  readonly name: string;
  /** Plain data that rebuilds the factory. */
  readonly config: JsonObject;
  /** The only images and classes that the backbone supports. Default: any. */
  readonly images?: Pick<BackboneOptions, 'inputShape' | 'classes'>;
  /** Builds the network with new weights. @throws LocalgradError `invalid-option` for image shapes that do not fit */
  build(options: BackboneOptions): Backbone;
}
