import {
  at,
  type Backbone,
  type BackboneBlock,
  type BackboneFactory,
  rejectUnknownKeys,
  requireOption,
} from '@localgrad/core';
import { basicBlock, convBatchNormRelu } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';

export interface TinyNetOptions {
  /** Residual blocks after the stem; every second one halves the image. Default 3. */
  readonly blocks?: number;
  /** Channels of all blocks. Default 4. */
  readonly width?: number;
}

/** A network for tests that covers every code path of a ResNet in milliseconds. Not meant for experiments. */
export function tinyNet(options: TinyNetOptions = {}): BackboneFactory {
  rejectUnknownKeys('tinyNet', options, ['blocks', 'width']);
  const { blocks: count = 3, width = 4 } = options;
  requireOption(
    Number.isInteger(count) && count >= 1 && count <= 8,
    'tinyNet',
    'blocks',
    count,
    'integers from 1 to 8',
  );
  requireOption(
    Number.isInteger(width) && width >= 1 && width <= 4096,
    'tinyNet',
    'width',
    width,
    'integers from 1 to 4096',
  );
  const config = { backbone: 'tiny', blocks: count, width };
  return {
    name: 'tiny',
    config,
    build({ inputShape, classes, scope }): Backbone {
      const stem = convBatchNormRelu({ name: 'stem', scope, inputShape, channels: width, names: ['conv1', 'bn1'] });
      const blocks: BackboneBlock[] = [{ reference: [0, 0], block: stem }];
      for (let index = 0; index < count; index++) {
        const before = at(blocks, blocks.length - 1, 'block').block;
        const name = `layer1.${index}`;
        const block = basicBlock({
          name,
          scope: scope.scope('layer1').scope(String(index)),
          inputShape: before.outputShape,
          channels: width,
          stride: index % 2 === 1 && before.outputShape[0] > 2 ? 2 : 1,
        });
        blocks.push({ reference: [1, index], block });
      }
      const inputOfClassifier = at(blocks, blocks.length - 1, 'block').block.outputShape;
      const classifier = createClassifier({ scope, inputShape: inputOfClassifier, classes });
      return { name: 'tiny', config, inputShape, classes, blocks, classifier };
    },
  };
}
