// A method in a file: every module trains alone, as with `greedy`, with a weight on each local loss.
import { standardCatalog } from '@localgrad/catalog';

export const method = ({ weight = 1 }) => ({
  specVersion: 'v1',
  name: 'own',
  config: { method: './own-method.mjs', weight },
  plan(network) {
    const plan = standardCatalog.method('greedy').plan(network);
    const objectives = plan.objectives.map((objective) =>
      objective.role === 'independent' ? { ...objective, weight } : objective,
    );
    return { ...plan, method: 'own', objectives };
  },
});
