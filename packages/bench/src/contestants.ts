import type { BackendHandle } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { createScope } from '@localgrad/nn/random';
import { buildNetwork, resolveNames } from '@localgrad/runs';
import { engineContestant } from './engine-contestant.js';
import type { Contestant, MeasuredNetwork } from './options.js';

/** End-to-end training with activation recomputation, the baseline for the memory of local learning. */
export const recomputeName = `${endToEndMethod}+recompute`;

/** About √blocks segments, each recomputed from its input: the cut with the least memory (Chen et al. 2016, §3). */
export async function withCheckpoints<Options extends MeasuredNetwork>(options: Options): Promise<Options> {
  const { catalog } = await resolveNames({ backbone: options.backbone });
  const scope = createScope(1);
  const { partition: _, ...config } = options;
  const { backbone } = buildNetwork(
    { ...config, modules: 1, partition: 'even' },
    options.image,
    options.classes,
    scope,
    catalog,
  );
  for (const parameter of scope.all().values()) parameter.dispose();
  const modules = Math.max(1, Math.round(Math.sqrt(backbone.blocks.length)));
  return { ...options, partition: 'even', modules, memory: 'recompute' };
}

/** Creates a method, or end-to-end training with recomputation, by its name. */
export async function createContestant(
  name: string,
  options: MeasuredNetwork,
  backend: BackendHandle,
): Promise<Contestant> {
  if (name !== recomputeName) return engineContestant(name, options, backend);
  return engineContestant(endToEndMethod, await withCheckpoints(options), backend, { name: recomputeName });
}
