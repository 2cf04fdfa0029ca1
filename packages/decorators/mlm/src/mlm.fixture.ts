import {
  type Backbone,
  type BackboneBlock,
  type Block,
  createNetwork,
  type HeadFactory,
  independentPlan,
  type LocalLearningMethod,
  type Mode,
  startOfTraining,
  type TrainingPlan,
  trainingMode,
  validatePlan,
  weightAt,
} from '@localgrad/core';
import { type MlmOptions, mlm } from './index.js';

export const factory: HeadFactory = {
  name: 'test',
  build: () => {
    throw new Error('not built here');
  },
};
export const host: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'host',
  config: { method: 'host' },
  plan: (network) => independentPlan('host', network, factory),
};
const shape = [4, 4, 2];
const blocks = Array.from(
  { length: 6 },
  (_, index) =>
    ({
      reference: index === 0 ? [0, 0] : [1, index - 1],
      block: { name: `block${index}`, inputShape: shape, outputShape: shape },
    }) as unknown as BackboneBlock,
);
/** Five modules, with the stem in the first one. */
export const network = createNetwork({ inputShape: shape, blocks } as unknown as Backbone, [2, 1, 1, 1, 1]);
export const objectives = (options?: MlmOptions) => {
  const plan = mlm(host, options).plan(network);
  validatePlan(plan, 5);
  return plan.objectives.map(({ id, role, span, weight, head }) => [
    id,
    role,
    span.join('-'),
    weightAt(weight, startOfTraining),
    head.key,
  ]);
};

/** Number of running-statistics updates per step, by block. */
export function countsOf({ rewriteBlock }: TrainingPlan): number[][] {
  return network.modules.map(({ index: module, members }) =>
    members.map((_, index) => {
      let count = 0;
      const forward = (_x: unknown, mode: Mode) => {
        count = mode.statisticsUpdates;
      };
      const block = { forward, vjp: () => {}, replicate: () => {} } as unknown as Block;
      const rewritten = rewriteBlock?.(block, { module, index }) ?? block;
      rewritten.forward({} as never, trainingMode);
      return count;
    }),
  );
}
