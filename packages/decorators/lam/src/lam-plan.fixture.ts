import { cifarResNet } from '@localgrad/backbones';
import {
  type BlockReference,
  createNetwork,
  type LocalLearningMethod,
  type Network,
  resolvePartition,
} from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { createScope, type RootScope } from '@localgrad/nn/random';

export const host = dgl({ head: '0c1f' });

/** A host that also has an auxiliary head on the last module. */
export const hostWithLastHead: LocalLearningMethod = {
  ...host,
  plan: (network) => {
    const plan = host.plan(network);
    const last = network.modules.length - 1;
    const factory = plan.objectives[0]?.head.factory;
    const head = { key: 'last', ...(factory === undefined ? {} : { factory }) };
    const own = { id: 'last', role: 'independent', span: [last, last], weight: 1, head } as const;
    return { ...plan, objectives: [...plan.objectives, own] };
  },
};

export function networkOf(
  depth: number,
  spec: Parameters<typeof resolvePartition>[1],
  scope: RootScope = createScope(1),
): Network {
  const backbone = cifarResNet({ depth, widths: [2, 2, 4, 8] }).build({ inputShape: [8, 8, 3], classes: 3, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, spec));
}

/** `20 30 31` for the blocks (2,0), (3,0) and (3,1). */
export const text = (blocks: readonly BlockReference[] | undefined) => blocks?.map((block) => block.join('')).join(' ');
