import {
  at,
  type Backbone,
  type BackboneBlock,
  type BackboneFactory,
  LocalgradError,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
} from '@localgrad/core';
import { basicBlock, convBatchNormRelu } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { imageNetResNetDepths } from './imagenet-resnet.js';

/** Upper limits: larger networks do not fit on any machine, so larger values are typos or come from a corrupt file. */
const deepest = 2000;
const widest = 4096;

export interface CifarResNetOptions {
  /** 6n + 2: 8, 14, 20, 32, 44, 56, 110, … */
  readonly depth: number;
  /** Channels of stem and first stage; doubled in each later stage. Default 16. */
  readonly width?: number;
  /** Channels of the stem and the three stages; replaces `width`. */
  readonly widths?: readonly [stem: number, stage1: number, stage2: number, stage3: number];
}

/**
 * ResNet for small images (docs/methods/networks.md §1): 3×3 stem, three stages of n BasicBlocks, the second and third
 * with stride 2, projection shortcuts (option B), global average pooling and a dense classifier. Parameters have
 * PyTorch's names. The names of ResNet-50 and -152 start with `cifar-`, because those without it are ImageNet's.
 *
 * @throws LocalgradError `invalid-option`
 */
export function cifarResNet(options: CifarResNetOptions): BackboneFactory {
  rejectUnknownKeys('cifarResNet', options, ['depth', 'width', 'widths']);
  const { depth, width = 16 } = options;
  requireOption(
    Number.isInteger(depth) && depth >= 8 && depth <= deepest && depth % 6 === 2,
    'cifarResNet',
    'depth',
    depth,
    `6n + 2 up to ${deepest}: 8, 14, 20, 26, 32, 38, 44, 50, 56, …, 110, …`,
  );
  if (options.width !== undefined && options.widths !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      "cifarResNet: options 'width' and 'widths' are mutually exclusive; pass one of them.",
    );
  }
  const widths = options.widths ?? [width, width, 2 * width, 4 * width];
  requireOption(
    widths.length === 4 &&
      widths.every((value) => Number.isInteger(value) && value >= 1 && value <= 4 * widest) &&
      width <= widest,
    'cifarResNet',
    options.widths === undefined ? 'width' : 'widths',
    options.widths ?? width,
    options.widths === undefined
      ? `positive integers up to ${widest}`
      : `positive integers up to ${4 * widest} (stem and three stages)`,
  );
  const name = imageNetResNetDepths.includes(depth) ? `cifar-resnet${depth}` : `resnet${depth}`;
  const isStandard = widths.join() === '16,16,32,64';
  const config = { backbone: name, ...(isStandard ? {} : { widths: [...widths] }) };
  return {
    name,
    config,
    build({ inputShape, classes, scope }): Backbone {
      const blocks = residualBlocks((depth - 2) / 6, widths, inputShape, scope);
      const last = at(blocks, blocks.length - 1, 'block');
      const classifier = createClassifier({ scope, inputShape: last.block.outputShape, classes });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}

function residualBlocks(
  perStage: number,
  widths: readonly number[],
  inputShape: Shape3,
  scope: ParameterScope,
): BackboneBlock[] {
  const [stemWidth = 16, ...stages] = widths;
  const stem = convBatchNormRelu({ name: 'stem', scope, inputShape, channels: stemWidth, names: ['conv1', 'bn1'] });
  const blocks: BackboneBlock[] = [{ reference: [0, 0], block: stem }];
  stages.forEach((channels, stage) => {
    for (let index = 0; index < perStage; index++) {
      const before = at(blocks, blocks.length - 1, 'block').block;
      const name = `layer${stage + 1}.${index}`;
      const block = basicBlock({
        name,
        scope: scope.scope(`layer${stage + 1}`).scope(String(index)),
        inputShape: before.outputShape,
        channels,
        stride: stage > 0 && index === 0 ? 2 : 1,
      });
      blocks.push({ reference: [stage + 1, index], block });
    }
  });
  return blocks;
}
