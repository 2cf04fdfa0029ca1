import {
  type Backbone,
  type BackboneFactory,
  type JsonObject,
  LocalgradError,
  type ParameterScope,
  type Shape3,
  shown,
} from '@localgrad/core';
import { readSafetensors, type StoredTensor } from '@localgrad/nn/serialization';
import { cifarResNet } from '../resnet.js';
import { boundedScope } from './bounded-scope.js';
import { buildDescribed, readDescription } from './description.js';
import { type LoadedWeights, loadWeights } from './load-weights.js';
import { nameUnder, prefixOf } from './prefix.js';
import { backboneName, withoutWrappers } from './reference-names.js';

export interface ReadBackbone extends LoadedWeights {
  readonly backbone: Backbone;
}

/**
 * Builds the backbone of a weights file and loads the weights. The architecture is read from the description in files
 * written by localgrad, otherwise inferred from the names and shapes of a CIFAR ResNet's state dict.
 *
 * @param imageSize height and width of the images, for files without a description; default 32 × 32
 * @param factoryOf returns the factory of a description's backbone; default: those of this package
 * @throws LocalgradError `invalid-data`, `shape-mismatch`
 */
export function readBackbone(
  bytes: Uint8Array,
  options: {
    readonly scope: ParameterScope;
    readonly where?: string;
    readonly imageSize?: readonly [number, number];
    readonly factoryOf?: (config: JsonObject) => BackboneFactory;
  },
): ReadBackbone {
  const { scope, where = 'safetensors data', imageSize = [32, 32] } = options;
  const file = readSafetensors(bytes, where);
  const description = readDescription(file, where);
  const bounded = boundedScope(scope, file.tensors, where);
  const backbone =
    description === undefined
      ? resnetOf(file.tensors, imageSize, bounded, where)
      : buildDescribed(description, bounded, options.factoryOf);
  return { backbone, ...loadWeights(backbone, bytes, where) };
}

/** Tensor names in every CIFAR ResNet; the first is also the network's first tensor. */
const landmarks = ['conv1.weight', ...[1, 2, 3].map((stage) => `layer${stage}.0.conv1.weight`), 'fc.weight'];

/** Infers the depth from the number of blocks, and widths, channels and classes from the shapes in PyTorch's layout. */
function resnetOf(
  stored: ReadonlyMap<string, StoredTensor>,
  [height, width]: readonly [number, number],
  scope: ParameterScope,
  where: string,
): Backbone {
  const prefix = prefixOf([...stored.keys()].map(withoutWrappers), landmarks, where);
  const shapes = new Map(
    [...stored].map(([name, { shape }]) => [backboneName(nameUnder(prefix, name) ?? ''), shape] as const),
  );
  const perStage = [1, 2, 3].map((stage) => {
    let count = 0;
    while (shapes.has(`layer${stage}.${count}.conv1.weight`)) count++;
    return count;
  });
  const extent = (name: string, axis: number) => shapes.get(name)?.[axis] ?? 0;
  const widths = [1, 2, 3].map((stage) => extent(`layer${stage}.0.conv1.weight`, 0));
  const stem = extent('conv1.weight', 0);
  const inputShape: Shape3 = [height, width, extent('conv1.weight', 1)];
  const classes = extent('fc.weight', 0);
  const [blocks = 0] = perStage;
  if (
    blocks === 0 ||
    perStage.some((count) => count !== blocks) ||
    [...inputShape, ...widths, stem, classes].includes(0)
  ) {
    throw new LocalgradError(
      'invalid-data',
      `${where}: not the state dict of a CIFAR ResNet: it needs conv1.weight, fc.weight and equal numbers of blocks in layer1, layer2 and layer3, but has ${perStage.join(', ')}. Its tensors: ${someOf([...stored.keys()])}.`,
      { where, blocks: perStage },
    );
  }
  const factory = cifarResNet({
    depth: 6 * blocks + 2,
    widths: [stem, ...(widths as [number, number, number])],
  });
  return factory.build({ inputShape, classes, scope });
}

function someOf(names: readonly string[]): string {
  const most = 5;
  const rest = names.length - most;
  return (names.slice(0, most).map(shown).join(', ') || 'none') + (rest > 0 ? ` and ${rest} more` : '');
}
