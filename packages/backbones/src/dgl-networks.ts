import {
  type Backbone,
  type BackboneFactory,
  type Block,
  type ParameterScope,
  rejectUnknownKeys,
  type Shape3,
} from '@localgrad/core';
import {
  adaptiveAveragePool,
  averagePool,
  batchNorm,
  conv2d,
  dense,
  flattenChannelsFirst,
  maxPool,
  relu,
  sequential,
} from '@localgrad/nn/blocks';
import { blockHead } from '@localgrad/nn/heads';
import { softmaxCrossEntropy } from '@localgrad/nn/losses';
import { uniformFanIn } from '@localgrad/nn/random';
import { BlockLine, membersOf } from './block-line.js';
import { differing, requireCount, requireImages } from './check-options.js';

export interface DglCnnOptions {
  /** Number of convolutions, each a block. Default 4, as in the code's learning curves; its study of heads has 6. */
  readonly depth?: number;
  /** Channels of the first convolution, doubled by the second and the fourth. Default 64; the study of heads has 128. */
  readonly width?: number;
}

/** Convolutions before which the map is halved. */
const halvings = [1, 3];

/**
 * The networks of DGL's studies on CIFAR-10 (Belilovsky et al., ICML 2020; docs/methods/networks.md §7): 3×3 convolutions
 * with batch norm and ReLU, and a perceptron with two hidden layers as the classifier. Pooling belongs to the block after
 * it. Parameters of blocks have the names of the code.
 *
 * @throws LocalgradError `invalid-option`
 */
export function dglCnn(options: DglCnnOptions = {}): BackboneFactory {
  const where = 'dglCnn';
  rejectUnknownKeys(where, options, ['depth', 'width']);
  const { depth = 4, width = 64 } = options;
  requireCount(where, 'depth', depth, 64);
  requireCount(where, 'width', width, 4096);
  const config = { backbone: 'cnn', ...differing({ depth, width }, { depth: 4, width: 64 }) };
  return {
    name: 'cnn',
    config,
    build({ inputShape, classes, scope }): Backbone {
      requireImages('cnn', inputShape, 2 ** halvings.filter((layer) => layer < depth).length);
      const line = new BlockLine(inputShape);
      let channels = width;
      let stage = 1;
      for (let layer = 0; layer < depth; layer++) {
        const pools = halvings.includes(layer);
        if (pools) channels *= 2;
        if (pools && layer > 1) stage++;
        const place = { name: `blocks.${layer}`, scope: scope.scope('blocks').scope(String(layer)) };
        line.add(layer === 0 ? [0, 0] : [stage, layer - 1 - 2 * (stage - 1)], (shape) =>
          unit({ ...place, inputShape: shape, channels, kernelSize: 3, before: pools ? halved : undefined }),
        );
      }
      const classifier = blockHead({
        name: 'classifier',
        blocks: perceptron(line.shape, classes, scope.scope('classifier')),
        loss: softmaxCrossEntropy,
      });
      return { name: 'cnn', config, inputShape, classes, blocks: line.blocks, classifier };
    },
  };
}

export interface DniCnnOptions {
  /** Channels of all convolutions. Default 128. */
  readonly width?: number;
}

/**
 * The network of DNI on CIFAR-10 (Jaderberg et al., ICML 2017), as in the comparison of DGL's code (docs/methods/networks.md
 * §7): three 5×5 convolutions with batch norm, ReLU and 3×3 pooling, of maxima in the first block and of means in the
 * others, and a dense layer.
 *
 * @throws LocalgradError `invalid-option`
 */
export function dniCnn(options: DniCnnOptions = {}): BackboneFactory {
  const where = 'dniCnn';
  rejectUnknownKeys(where, options, ['width']);
  const { width = 128 } = options;
  requireCount(where, 'width', width, 4096);
  const config = { backbone: 'dni-cnn', ...differing({ width }, { width: 128 }) };
  return {
    name: 'dni-cnn',
    config,
    build({ inputShape, classes, scope }): Backbone {
      requireImages('dni-cnn', inputShape, 3 ** 3);
      const line = new BlockLine(inputShape);
      for (const layer of [0, 1, 2]) {
        const place = { name: `block.${layer}`, scope: scope.scope('block').scope(String(layer)) };
        line.add(layer === 0 ? [0, 0] : [layer, 0], (shape) =>
          unit({ ...place, inputShape: shape, channels: width, kernelSize: 5, after: layer === 0 ? maxima : means }),
        );
      }
      // A block of its own, so that the classifier can be a module: DNI separates it from the last convolution.
      line.add([3, 0], (shape) => flattenChannelsFirst('flatten', shape));
      const classifier = blockHead({
        name: 'classifier',
        blocks: [dense({ name: 'fc1', layer: 'fc1', scope, inputShape: line.shape, units: classes })],
        loss: softmaxCrossEntropy,
      });
      return { name: 'dni-cnn', config, inputShape, classes, blocks: line.blocks, classifier };
    },
  };
}

type Creator = (inputShape: Shape3) => Block;

const halved: Creator = (inputShape) => maxPool({ name: 'pool', inputShape, size: 2, stride: 2, padding: 0 });
const maxima: Creator = (inputShape) => maxPool({ name: 'pool', inputShape, size: 3, stride: 3, padding: 0 });
const means: Creator = (inputShape) => averagePool('pool', inputShape, 3);

interface UnitOptions {
  readonly name: string;
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly channels: number;
  readonly kernelSize: number;
  /** Pooling of the input. */
  readonly before?: Creator | undefined;
  /** Pooling of the output. */
  readonly after?: Creator | undefined;
}

/** Convolution with bias, batch norm and ReLU, named by their places in an `nn.Sequential`. */
function unit(options: UnitOptions): Block {
  const { name, scope, inputShape, channels, kernelSize, before, after } = options;
  const first = before === undefined ? 0 : 1;
  const [layer, norm] = [String(first), String(first + 1)];
  const initializer = uniformFanIn(kernelSize ** 2 * inputShape[2]);
  const members = membersOf(inputShape, [
    ...(before === undefined ? [] : [before]),
    (shape) => conv2d({ name: 'conv', layer, scope, inputShape: shape, channels, kernelSize, initializer }),
    (shape) => batchNorm({ name: 'bn', layer: norm, scope, inputShape: shape }),
    (shape) => relu('relu', shape),
    ...(after === undefined ? [] : [after]),
  ]);
  return sequential(name, members, (other) => unit({ ...options, scope: other }));
}

/** Means on a quarter of the map, then on 2×2, and two hidden layers as wide as these. */
function perceptron(inputShape: Shape3, classes: number, scope: ParameterScope): Block[] {
  const [height, width, channels] = inputShape;
  const units = 4 * channels;
  const hidden = [0, 3].flatMap((index): Creator[] => [
    (shape) => dense({ name: `fc${index}`, layer: String(index), scope, inputShape: shape, units }),
    (shape) => batchNorm({ name: `bn${index + 1}`, layer: String(index + 1), scope, inputShape: shape }),
    (shape) => relu(`relu${index + 2}`, shape),
  ]);
  return membersOf(inputShape, [
    (shape) => adaptiveAveragePool('quarter', shape, [Math.ceil(height / 4), Math.ceil(width / 4)]),
    (shape) => adaptiveAveragePool('pool', shape, [2, 2]),
    (shape) => flattenChannelsFirst('flatten', shape),
    ...hidden,
    (shape) => dense({ name: 'fc6', layer: '6', scope, inputShape: shape, units: classes }),
  ]);
}
