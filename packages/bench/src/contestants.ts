import type { BackendHandle } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { createScope } from '@localgrad/nn/random';
import { buildNetwork, resolveNames } from '@localgrad/runs';
import { engineContestant, type StepProcedure } from './engine-contestant.js';
import type { Contestant, MeasuredNetwork } from './options.js';

/** End-to-end training with activation recomputation, the baseline for the memory of local learning. */
export const recomputeName = `${endToEndMethod}+recompute`;

/** About √blocks segments, each recomputed from its input: the cut with the least memory (Chen et al. 2016, §3). */
async function withCheckpoints<Options extends MeasuredNetwork>(options: Options): Promise<Options> {
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

/** The method of a row, and how it is trained. */
export interface RowSetting<Options> {
  readonly method: string;
  readonly network: Options;
}

/**
 * The setting of a row by its name. The baselines do not depend on `memory`: one of them stores activations, the other one
 * recomputes them.
 */
export async function settingOf<Options extends MeasuredNetwork>(
  name: string,
  options: Options,
): Promise<RowSetting<Options>> {
  if (name === recomputeName) return { method: endToEndMethod, network: await withCheckpoints(options) };
  return { method: name, network: name === endToEndMethod ? { ...options, memory: 'residuals' } : options };
}

/** Creates a method, or a baseline, by its name. */
export async function createContestant(
  name: string,
  options: MeasuredNetwork,
  backend: BackendHandle,
  procedure: StepProcedure = { name },
): Promise<Contestant> {
  const { method, network } = await settingOf(name, options);
  return engineContestant(method, network, backend, procedure);
}
