import { standardCatalog } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { createPipeline, type MachineGroup, type Pipeline } from '@localgrad/pipeline';
import type { PlanImages } from '../batch-targets.js';
import { configError } from '../config/config-error.js';
import { inTermsOfKeys } from '../config/option-keys.js';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { type PartConfig, withoutValues } from './part-config.js';
import { pipelineProgram } from './worker-program.js';

/** Backends that each worker can start for itself. */
const workerBackends = ['wasm', 'cpu'] as const;

/** Whether a run is divided among worker threads. */
export function isPipelined({ workers, placement }: Pick<RunConfig, 'workers' | 'placement'>): boolean {
  return workers > 1 || placement !== undefined;
}

/**
 * The pipeline of a run's config; undefined if it trains in one thread.
 *
 * @param machines those of all workers but the first; absent: all workers are threads
 * @throws LocalgradError about a key of the config
 */
export async function runPipeline(
  config: RunConfig,
  compiled: CompiledPlan,
  images: PlanImages,
  { catalog = standardCatalog, project }: NameOptions,
  machines?: MachineGroup,
): Promise<Pipeline | undefined> {
  if (!isPipelined(config)) return undefined;
  const { workers, placement, threads, relaxedSimd, backend, asynchronous } = config;
  if (workers > 1 && placement !== undefined) {
    throw configError('workers', `${workers}, but placement '${placement}' already assigns the modules; remove one.`);
  }
  if (asynchronous !== 'none') {
    throw configError('asynchronous', `'${asynchronous}' trains in one process; remove it, or workers and placement.`);
  }
  if (catalog !== standardCatalog) {
    throw configError('workers', 'workers know the standard catalog and the packages of the project only.');
  }
  const part: PartConfig = { config, images: withoutValues(images), project };
  const own = { threads: threads === 'auto' ? 1 : threads, relaxedSimd };
  return inTermsOfPlacement(() =>
    inTermsOfKeys(config, () =>
      createPipeline({
        compiled,
        placement: placement ?? workers,
        program: pipelineProgram(),
        config: part,
        backend: backend === 'cpu' ? { ...own, name: 'cpu' } : own,
        ...(machines === undefined ? {} : { machines }),
      }),
    ),
  );
}

/** @throws LocalgradError about the key `workers` if workers cannot have a backend like the run's */
export function checkWorkerBackend(config: RunConfig, backend: string): void {
  if (!isPipelined(config) || workerBackends.some((name) => name === backend)) return;
  const key = config.workers > 1 ? 'workers' : 'placement';
  throw configError(
    key,
    `workers need backend ${workerBackends.join(' or ')}, but the run's is '${backend}'; set backend to wasm.`,
  );
}

/** Errors about a placement as errors about its config key. */
async function inTermsOfPlacement<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    if (!LocalgradError.isInstance(cause) || cause.details.option !== 'placement') throw cause;
    throw configError('placement', cause.message.replace(/^placement /, ''), { code: cause.code, cause });
  }
}
