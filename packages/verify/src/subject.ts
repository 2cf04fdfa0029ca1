import { cifarResNet } from '@localgrad/backbones';
import { projectResolver, standardCatalog } from '@localgrad/catalog';
import {
  createNetwork,
  type JsonObject,
  LocalgradError,
  type LocalLearningMethod,
  type Network,
  type ParameterScope,
  resolvePartition,
} from '@localgrad/core';
import type { NetworkSpec, PlanCase } from './format.js';

/** Rebuilds the network of a case. @throws LocalgradError `invalid-data` for other backbones */
export function buildNetwork(
  { backbone, widths, imageShape, classes, lastBlocks }: NetworkSpec,
  scope: ParameterScope,
): Network {
  const [, depth] = /^resnet(\d+)$/.exec(backbone) ?? [];
  if (depth === undefined) {
    throw new LocalgradError('invalid-data', `Backbone '${backbone}' cannot be rebuilt; allowed: resnet8, resnet14, …`);
  }
  const [stem = 16, first = 16, second = 32, third = 64] = widths ?? [];
  const built = cifarResNet({ depth: Number(depth), widths: [stem, first, second, third] }).build({
    inputShape: imageShape,
    classes,
    scope,
  });
  return createNetwork(built, resolvePartition(built.blocks, { lastBlocks }));
}

/** Creates the method of a case. */
export async function loadMethod(method: PlanCase['method']): Promise<LocalLearningMethod> {
  const expression = method as string | JsonObject;
  const { catalog } = await projectResolver().extend(standardCatalog, { method: expression });
  return catalog.method(expression);
}
