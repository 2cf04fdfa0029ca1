import { type BackboneBlock, type BackboneFactory, rejectUnknownKeys, requireOption } from '@localgrad/core';
import { convBatchNormRelu } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';

const name = 'localgrad-template';

export interface BackboneOptions {
  /** Channels of the first stage; each further stage has twice as many. Default 16. */
  readonly width?: number;
  /** Stages of two blocks; each but the first halves height and width. Default 3. */
  readonly stages?: number;
}

/** A plain convolutional network: convolution, batch norm and ReLU in each block, and a dense classifier. */
export function backbone(options: BackboneOptions = {}): BackboneFactory {
  rejectUnknownKeys(name, options, ['width', 'stages']);
  const { width = 16, stages = 3 } = options;
  requireOption(Number.isInteger(width) && width > 0, name, 'width', width, 'positive integers');
  requireOption(Number.isInteger(stages) && stages > 0, name, 'stages', stages, 'positive integers');
  const config = { backbone: name, ...options };
  return {
    name,
    config,
    build({ inputShape, classes, scope }) {
      // Modules are cut between blocks. A reference [stage, index] names a block in partitions and leap tables.
      const blocks: BackboneBlock[] = [];
      let shape = inputShape;
      for (let stage = 0; stage < stages; stage++) {
        for (const index of [0, 1]) {
          const block = convBatchNormRelu({
            name: `stage${stage}.${index}`,
            scope: scope.scope(`stage${stage}`).scope(`${index}`),
            inputShape: shape,
            channels: width * 2 ** stage,
            stride: stage > 0 && index === 0 ? 2 : 1,
          });
          blocks.push({ reference: [stage, index], block });
          shape = block.outputShape;
        }
      }
      const classifier = createClassifier({ scope, inputShape: shape, classes });
      return { name, config, inputShape, classes, blocks, classifier };
    },
  };
}
