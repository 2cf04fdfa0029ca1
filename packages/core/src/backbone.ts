import type { Block } from './block.js';
import type { Head } from './head.js';
import type { JsonObject } from './json.js';
import type { ParameterScope } from './parameter.js';
import type { Shape3 } from './shapes.js';

/** `(stage, index)`: stage 0 is the stem, stages count from 1, blocks in a stage from 0 (docs/methods/README.md §1). */
export type BlockReference = readonly [stage: number, index: number];

export function formatReference([stage, index]: BlockReference): string {
  return `(${stage},${index})`;
}

export interface BackboneBlock {
  readonly reference: BlockReference;
  readonly block: Block;
}

/** A network as a sequence of blocks, starting with the stem, followed by a classifier. */
export interface Backbone {
  readonly name: string;
  readonly config: JsonObject;
  readonly inputShape: Shape3;
  readonly classes: number;
  readonly blocks: readonly BackboneBlock[];
  /** Global pooling, dense layer and cross-entropy on the last block's output. */
  readonly classifier: Head;
}

export interface BackboneOptions {
  /** Image shape, channels last. */
  readonly inputShape: Shape3;
  readonly classes: number;
  /** Scope in which the weights are created. */
  readonly scope: ParameterScope;
}

/** Builds a backbone. `config` contains everything needed to rebuild the factory. */
export interface BackboneFactory {
  readonly name: string;
  readonly config: JsonObject;
  /** The only images and classes that the backbone supports. Default: any. */
  readonly images?: Pick<BackboneOptions, 'inputShape' | 'classes'>;
  build(options: BackboneOptions): Backbone;
}
