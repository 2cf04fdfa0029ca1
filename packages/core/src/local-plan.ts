import type { HeadFactory } from './head.js';
import type { Network } from './network.js';
import { finalObjective, type Objective, type TrainingPlan } from './plan.js';

/**
 * The plan of most local methods: each module is trained by its own local loss. The last module uses the classifier,
 * all others an auxiliary head from `factory`.
 */
export function independentPlan(method: string, { modules }: Network, factory: HeadFactory): TrainingPlan {
  const local = modules.slice(0, -1).map(
    ({ index }): Objective => ({
      id: `module${index}`,
      role: 'independent',
      span: [index, index],
      weight: 1,
      head: { key: `module${index}`, factory },
    }),
  );
  return { method, objectives: [...local, finalObjective(modules.length)], hooks: [] };
}
