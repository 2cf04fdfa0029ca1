import type { Backbone, BackboneFactory, JsonObject, ParameterScope } from '@localgrad/core';
import { readSafetensors } from '@localgrad/nn/serialization';
import { boundedScope } from './bounded-scope.js';
import { buildDescribed, readDescription } from './description.js';
import { inferResNet } from './infer-resnet.js';
import { type LoadedWeights, loadWeights } from './load-weights.js';

export interface ReadBackbone extends LoadedWeights {
  readonly backbone: Backbone;
}

/**
 * Builds the backbone of a weights file and loads the weights. The architecture is read from the description in files
 * written by localgrad, otherwise inferred from the names and shapes of a ResNet's state dict (CIFAR's or ImageNet's). For
 * other networks without a description, build the backbone by name and call `loadWeights`.
 *
 * @param imageSize height and width of the images, for files without a description; default 32 × 32, or 224 × 224 for
 *   ImageNet's ResNets
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
  const { scope, where = 'safetensors data', imageSize } = options;
  const file = readSafetensors(bytes, where);
  const description = readDescription(file, where);
  const bounded = boundedScope(scope, file.tensors, where);
  const backbone =
    description === undefined
      ? inferResNet(file.tensors, { imageSize, scope: bounded, where })
      : buildDescribed(description, bounded, where, options.factoryOf);
  return { backbone, ...loadWeights(backbone, bytes, where) };
}
