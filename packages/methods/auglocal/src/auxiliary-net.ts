import {
  at,
  type Block,
  type BlockGeometry,
  formatReference,
  type HeadFactory,
  type Network,
  type ParameterScope,
} from '@localgrad/core';
import { basicBlock } from '@localgrad/nn/blocks';
import { blockHead, HeadLayers } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';

/**
 * A classifier of blocks that have the kind and width of the selected layers of the network, with their own weights;
 * then global average pooling, batch norm if requested, and a dense layer.
 */
export function auxiliaryNet(network: Network, layers: readonly number[], batchNorm: boolean): HeadFactory {
  const { imitated, name } = imitatedBlocks(network, layers);
  return {
    name,
    build: ({ inputShape, classes }, scope) => {
      const blocks: Block[] = [];
      let shape = inputShape;
      let size = inputShape[0];
      let halvings = 0;
      for (const [index, { block }] of imitated.entries()) {
        halvings += Math.round(Math.log2(size / block.outputShape[0]));
        size = block.outputShape[0];
        // A block halves the size at most once; what remains is left to the next blocks.
        const stride = halvings >= 1 ? 2 : 1;
        halvings -= stride - 1;
        const geometry = {
          name: `block${index}`,
          inputShape: shape,
          // Behind a decorator's blocks, the input may already be wider than an early layer.
          channels: Math.max(shape[2], block.outputShape[2]),
          stride,
        };
        const imitation = imitate(block, scope.scope('blocks').scope(String(index)), geometry);
        blocks.push(imitation);
        shape = imitation.outputShape;
      }
      const end = new HeadLayers(scope, shape).globalPool();
      if (batchNorm) end.batchNorm();
      end.dense(classes);
      return blockHead({ name, blocks: [...blocks, ...end.blocks], loss: softmaxCrossEntropy });
    },
  };
}

/**
 * The auxiliary network of VGG (docs/methods/auglocal.md §4): a 3×3 convolution with batch norm and ReLU for each selected
 * layer, after 2×2 max pooling where the width changes; the mean of each channel, two hidden layers of as many units with
 * batch norm and ReLU, and a dense layer.
 */
export function convolutionalNet(network: Network, layers: readonly number[]): HeadFactory {
  const { imitated, name } = imitatedBlocks(network, layers);
  return {
    name,
    build: ({ inputShape, classes }, scope) => {
      const head = new HeadLayers(scope, inputShape);
      for (const { block } of imitated) {
        // Behind a decorator's blocks, the input may already be wider than an early layer.
        const channels = Math.max(head.channels, block.outputShape[2]);
        if (channels !== head.channels) head.maxPool();
        head.convolution(channels, 3, 1);
      }
      const units = head.channels;
      head.globalPool();
      for (let hidden = 0; hidden < 2; hidden++) head.dense(units).batchNorm().relu();
      head.dense(classes);
      return blockHead({ name, blocks: head.blocks, loss: softmaxCrossEntropy });
    },
  };
}

function imitatedBlocks({ backbone }: Network, layers: readonly number[]) {
  const imitated = layers.map((layer) => at(backbone.blocks, layer, 'layer'));
  return { imitated, name: `auglocal ${imitated.map(({ reference }) => formatReference(reference)).join(' ')}` };
}

/** A block of the same kind with another geometry; a BasicBlock if the kind has only one geometry. */
function imitate(block: Block, scope: ParameterScope, geometry: BlockGeometry): Block {
  return block.resize?.(scope, geometry) ?? basicBlock({ ...geometry, scope });
}
