import {
  type Backbone,
  type BackboneFactory,
  type Block,
  LocalgradError,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import {
  attention,
  classToken,
  conv2d,
  dense,
  firstToken,
  gelu,
  layerNorm,
  positionwiseDense,
  residual,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { truncatedNormal, zeros } from '@localgrad/nn/random';
import { BlockLine, membersOf } from './block-line.js';
import { differing, requireCount } from './check-options.js';

/** Width and heads of the common sizes, all of 12 blocks. */
export const visionTransformerSizes = {
  tiny: { width: 192, heads: 3 },
  small: { width: 384, heads: 6 },
  base: { width: 768, heads: 12 },
} as const;

/** Hidden units of a block's multi-layer perceptron per channel. */
const expansion = 4;
/** Standard deviation of initial weights. */
const deviation = 0.02;

export interface VisionTransformerOptions {
  /** Channels of a token. */
  readonly width: number;
  /** Attention heads; divides `width`. */
  readonly heads: number;
  /** Number of blocks. Default 12. */
  readonly depth?: number;
  /** Height and width of a patch; divides those of the image. Default 16. */
  readonly patch?: number;
  /** Layer norm after the patch embedding, as in MAN++. Default false. */
  readonly patchNorm?: boolean;
}

/**
 * Vision transformer (Dosovitskiy et al., ICLR 2021; docs/methods/networks.md §10). The stem embeds patches and adds the
 * class token; each pre-norm block of attention and perceptron is a block, [1, tokens, width]. The classifier reads the
 * class token. Parameters have timm's names; torchvision's are converted when weights are loaded.
 *
 * @throws LocalgradError `invalid-option`; `build` throws `shape-mismatch` if patches do not fill the image
 */
export function visionTransformer(options: VisionTransformerOptions): BackboneFactory {
  const where = 'visionTransformer';
  rejectUnknownKeys(where, options, ['width', 'heads', 'depth', 'patch', 'patchNorm']);
  const { width, heads, depth = 12, patch = 16, patchNorm = false } = options;
  requireCount(where, 'width', width);
  requireCount(where, 'heads', heads);
  requireOption(width % heads === 0, where, 'heads', heads, `divisors of the width, ${width}`);
  requireCount(where, 'depth', depth, 1000);
  requireCount(where, 'patch', patch, 1024);
  const size = Object.entries(visionTransformerSizes).find(([, one]) => one.width === width && one.heads === heads);
  const name = size === undefined ? 'vit' : `vit-${size[0]}`;
  const config = {
    backbone: name,
    ...(size === undefined ? { width, heads } : {}),
    ...differing({ depth, patch, patchNorm }, { depth: 12, patch: 16, patchNorm: false }),
  };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      const line = new BlockLine(inputShape).add([0, 0], (shape) =>
        patchEmbedding({ scope, inputShape: shape, width, patch, patchNorm }),
      );
      for (let index = 0; index < depth; index++) {
        const place = { name: `blocks.${index}`, scope: scope.scope('blocks').scope(String(index)) };
        line.add([1, index], (shape) => transformerBlock({ ...place, inputShape: shape, heads }));
      }
      const classifier = blockHead({
        name: 'classifier',
        blocks: membersOf(line.shape, [
          (shape) => firstToken('token', shape),
          (shape) => layerNorm({ name: 'norm', scope, inputShape: shape, layer: 'norm' }),
          (shape) =>
            dense({
              name: 'head',
              scope,
              inputShape: shape,
              units: classes,
              layer: 'head',
              initializer: truncatedNormal(deviation),
              biasInitializer: zeros,
            }),
        ]),
        loss: softmaxCrossEntropy,
      });
      return { name, config, inputShape, classes, blocks: line.blocks, classifier };
    },
  };
}

interface PatchEmbeddingOptions {
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly width: number;
  readonly patch: number;
  readonly patchNorm: boolean;
}

function patchEmbedding(options: PatchEmbeddingOptions): Block {
  const { scope, inputShape, width, patch, patchNorm } = options;
  const [height, columns, channels] = inputShape;
  if (height % patch !== 0 || columns % patch !== 0) {
    throw new LocalgradError(
      'shape-mismatch',
      `visionTransformer: patches of ${patch}×${patch} do not fill images of ${height}×${columns}; option 'patch' must divide both.`,
      { inputShape, patch },
    );
  }
  const embedding = scope.scope('patch_embed');
  const members = membersOf(inputShape, [
    (shape) =>
      conv2d({
        name: 'proj',
        layer: 'proj',
        scope: embedding,
        inputShape: shape,
        channels: width,
        kernelSize: patch,
        stride: patch,
        padding: 0,
        initializer: truncatedNormal(1 / Math.sqrt(patch * patch * channels)),
        biasInitializer: zeros,
      }),
    ...(patchNorm
      ? [(shape: Shape3) => layerNorm({ name: 'norm', layer: 'norm', scope: embedding, inputShape: shape })]
      : []),
    (shape) => classToken({ name: 'tokens', scope, inputShape: shape }),
  ]);
  return sequential('stem', members, (other) => patchEmbedding({ ...options, scope: other }));
}

interface TransformerBlockOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly heads: number;
}

/** x + attention(norm(x)), then the same with a perceptron of one hidden layer and GELU. */
function transformerBlock(options: TransformerBlockOptions): Block {
  const { name, scope, inputShape, heads } = options;
  const width = inputShape[2];
  const layer = (under: string, layerName: string, units: number) => (shape: Shape3) =>
    positionwiseDense({
      name: layerName,
      layer: layerName,
      scope: scope.scope(under),
      inputShape: shape,
      units,
      initializer: truncatedNormal(deviation),
      biasInitializer: zeros,
    });
  const norm = (layerName: string) => (shape: Shape3) =>
    layerNorm({ name: layerName, layer: layerName, scope, inputShape: shape });
  const attended = membersOf(inputShape, [
    norm('norm1'),
    layer('attn', 'qkv', 3 * width),
    (shape) => attention({ name: 'heads', inputShape: shape, heads }),
    layer('attn', 'proj', width),
  ]);
  const perceived = membersOf(inputShape, [
    norm('norm2'),
    layer('mlp', 'fc1', expansion * width),
    (shape) => gelu('gelu', shape),
    layer('mlp', 'fc2', width),
  ]);
  const members = [
    residual('attention', sequential('attention', attended)),
    residual('mlp', sequential('mlp', perceived)),
  ];
  return sequential(name, members, (other) => transformerBlock({ ...options, scope: other }));
}
