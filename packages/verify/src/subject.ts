import { cifarResNet } from '@localgrad/backbones';
import { projectResolver, standardCatalog } from '@localgrad/catalog';
import {
  type BackboneFactory,
  createNetwork,
  type JsonObject,
  type LocalLearningMethod,
  type Network,
  type ParameterScope,
  resolvePartition,
} from '@localgrad/core';
import type { NetworkSpec, PlanCase } from './format.js';

/** Rebuilds the network of a case. @throws LocalgradError `unknown-name`, `invalid-option` for the backbone */
export function buildNetwork(
  { backbone, widths, imageShape, classes, lastBlocks }: NetworkSpec,
  scope: ParameterScope,
): Network {
  const built = backboneOf(backbone, widths).build({ inputShape: imageShape, classes, scope });
  return createNetwork(built, resolvePartition(built.blocks, { lastBlocks }));
}

/** CIFAR's ResNets by depth; every other backbone by its expression. */
function backboneOf(backbone: string, widths: NetworkSpec['widths']): BackboneFactory {
  const [, depth] = /^resnet(\d+)$/.exec(backbone) ?? [];
  if (depth === undefined) return standardCatalog.backbone(backbone);
  const [stem = 16, first = 16, second = 32, third = 64] = widths ?? [];
  return cifarResNet({ depth: Number(depth), widths: [stem, first, second, third] });
}

/** Creates the method of a case. */
export async function loadMethod(method: PlanCase['method']): Promise<LocalLearningMethod> {
  const expression = method as string | JsonObject;
  const { catalog } = await projectResolver().extend(standardCatalog, { method: expression });
  return catalog.method(expression);
}
