import {
  type Backbone,
  type BackboneFactory,
  LocalgradError,
  type ParameterScope,
  type Shape3,
  sameShape,
  shown,
} from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { imageNetLayers, imageNetResNet } from '../imagenet-resnet.js';
import { cifarResNet } from '../resnet.js';
import { nameUnder, prefixOf } from './prefix.js';
import { backboneName, withoutWrappers } from './reference-names.js';

/** Tensor names in every ResNet; the first is also the network's first tensor. */
const landmarks = ['conv1.weight', ...[1, 2, 3].map((stage) => `layer${stage}.0.conv1.weight`), 'fc.weight'];

export interface InferOptions {
  /** Default 32 × 32, or 224 × 224 for ImageNet's ResNets. */
  readonly imageSize: readonly [height: number, width: number] | undefined;
  readonly scope: ParameterScope;
  readonly where: string;
}

/**
 * Builds the ResNet of a state dict in PyTorch's layout: the depth from the number and kind of blocks, widths, groups,
 * channels and classes from the shapes.
 *
 * @throws LocalgradError `invalid-data`
 */
export function inferResNet(stored: ReadonlyMap<string, StoredTensor>, options: InferOptions): Backbone {
  const { scope, where } = options;
  const prefix = prefixOf([...stored.keys()].map(withoutWrappers), landmarks, where);
  const shapes = new Map(
    [...stored].map(([name, { shape }]) => [backboneName(nameUnder(prefix, name) ?? ''), shape] as const),
  );
  const tensors = new Shapes(shapes);
  const found = tensors.blocksIn(4) > 0 ? imageNetFactory(tensors) : cifarFactory(tensors);
  const size = options.imageSize ?? (tensors.blocksIn(4) > 0 ? [224, 224] : [32, 32]);
  const inputShape: Shape3 = [size[0], size[1], tensors.extent('conv1.weight', 1)];
  const classes = tensors.extent('fc.weight', 0);
  if (found === undefined || [...inputShape, classes].includes(0)) {
    const blocks = [1, 2, 3, 4].map((stage) => tensors.blocksIn(stage));
    throw new LocalgradError(
      'invalid-data',
      `${where}: not the state dict of a ResNet: it needs conv1.weight, fc.weight and equal numbers of blocks in layer1, layer2 and layer3 (CIFAR's), or blocks in layer1 to layer4 (ImageNet's), but has ${blocks.join(', ')}. Its tensors: ${someOf([...stored.keys()])}.`,
      { where, blocks },
    );
  }
  return found.build({ inputShape, classes, scope });
}

/** Shapes of a state dict's tensors by our names. */
class Shapes {
  readonly #shapes: ReadonlyMap<string, readonly number[]>;

  constructor(shapes: ReadonlyMap<string, readonly number[]>) {
    this.#shapes = shapes;
  }

  has(name: string): boolean {
    return this.#shapes.has(name);
  }

  /** 0 for missing tensors and axes. */
  extent(name: string, axis: number): number {
    return this.#shapes.get(name)?.[axis] ?? 0;
  }

  blocksIn(stage: number): number {
    let count = 0;
    while (this.has(`layer${stage}.${count}.conv1.weight`)) count++;
    return count;
  }
}

/** Undefined if the tensors are not those of a CIFAR ResNet. */
function cifarFactory(tensors: Shapes): BackboneFactory | undefined {
  const width = (stage: number) => tensors.extent(`layer${stage}.0.conv1.weight`, 0);
  const widths = [tensors.extent('conv1.weight', 0), width(1), width(2), width(3)] as const;
  const blocks = tensors.blocksIn(1);
  const isUniform = [2, 3].every((stage) => tensors.blocksIn(stage) === blocks);
  if (blocks === 0 || !isUniform || widths.includes(0)) return undefined;
  return cifarResNet({ depth: 6 * blocks + 2, widths });
}

/** Undefined if the tensors are not those of a ResNet or ResNeXt for ImageNet. */
function imageNetFactory(tensors: Shapes): BackboneFactory | undefined {
  const width = tensors.extent('conv1.weight', 0);
  const layers = [tensors.blocksIn(1), tensors.blocksIn(2), tensors.blocksIn(3), tensors.blocksIn(4)] as const;
  if (width === 0 || layers.includes(0)) return undefined;
  const bottlenecks = tensors.has('layer1.0.conv3.weight');
  const kin = imageNetLayers.filter((one) => one.bottlenecks === bottlenecks);
  const { depth } = kin.find((one) => sameShape(one.layers, layers)) ?? kin[0] ?? { depth: 50 };
  if (!bottlenecks) return imageNetResNet({ depth, width, layers });
  const inner = tensors.extent('layer1.0.conv2.weight', 0);
  const perGroup = tensors.extent('layer1.0.conv2.weight', 1);
  if (perGroup === 0) return undefined;
  const groups = inner / perGroup;
  return imageNetResNet({ depth, width, layers, groups, widthPerGroup: Math.ceil((64 * perGroup) / width) });
}

function someOf(names: readonly string[]): string {
  const most = 5;
  const rest = names.length - most;
  return (names.slice(0, most).map(shown).join(', ') || 'none') + (rest > 0 ? ` and ${rest} more` : '');
}
