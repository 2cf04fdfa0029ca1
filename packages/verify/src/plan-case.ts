import { compilePlan } from '@localgrad/engine';
import { createScope } from '@localgrad/nn/random';
import { numberError } from './compare.js';
import type { PlanCase } from './format.js';
import { Groups } from './groups.js';
import { buildNetwork, loadMethod } from './subject.js';

/** Compares a method's spans and the sizes of its heads; runs no training step. */
export async function runPlanCase({ network: spec, method: expression, expected }: PlanCase): Promise<Groups> {
  const scope = createScope(1);
  const groups = new Groups();
  try {
    const network = buildNetwork(spec, scope);
    const method = await loadMethod(expression);
    const compiled = compilePlan(network, method.plan(network), { scope });
    const heads = [...compiled.heads.values()].flat().filter(({ head }) => head !== network.backbone.classifier);
    const sizes = heads.map(({ head }) => head.parameters.reduce((sum, { size }) => sum + size, 0));
    for (const [id, [from, to]] of Object.entries(expected.spans ?? {})) {
      const span = compiled.objectives.find((objective) => objective.id === id)?.span;
      groups.note('spans', `${id} from`, numberError(span?.[0], from));
      groups.note('spans', `${id} to`, numberError(span?.[1], to));
    }
    for (const [id, wanted] of Object.entries(expected.headParameters ?? {})) {
      const index = heads.findIndex(({ objectives }) => objectives.some((objective) => objective.id === id));
      groups.note('head parameters', id, numberError(sizes[index], wanted));
    }
    if (expected.allHeadParameters !== undefined) {
      const all = sizes.reduce((sum, size) => sum + size, 0);
      groups.note('head parameters', 'all heads', numberError(all, expected.allHeadParameters));
    }
    if (expected.trainedParameters !== undefined) {
      const trained = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight');
      const all = trained.reduce((sum, { size }) => sum + size, 0);
      groups.note('trained parameters', 'all', numberError(all, expected.trainedParameters));
    }
  } finally {
    for (const parameter of scope.all().values()) parameter.dispose();
  }
  return groups;
}
