import { standardCatalog } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { createPipeline, type MachineGroup, type Pipeline } from '@localgrad/pipeline';
import type { PlanImages } from '../batch-targets.js';
import { configError } from '../config/config-error.js';
import { inTermsOfKeys } from '../config/option-keys.js';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { type ChosenPlacement, choosePlacement, type PlacementMeasurement } from './choose-placement.js';
import { type PartConfig, withoutValues } from './part-config.js';
import { workerBackendOf, workerBackends } from './worker-backend.js';
import { pipelineProgram } from './worker-program.js';

/** Whether a run is divided among worker threads. */
export function isPipelined({ workers, placement }: Pick<RunConfig, 'workers' | 'placement'>): boolean {
  return workers > 1 || placement !== undefined;
}

/** The pipeline of a run, and how its modules were divided. */
export interface RunPipeline {
  readonly pipeline: Pipeline;
  readonly chosen: ChosenPlacement;
}

/** What the pipeline of a run needs besides its config. */
export interface RunPipelineOptions extends Pick<PlacementMeasurement, 'withBatch'> {
  readonly compiled: CompiledPlan;
  readonly images: PlanImages;
  readonly names: NameOptions;
  /** The machines of all workers but the first; absent: all workers are threads. */
  readonly machines?: MachineGroup | undefined;
}

/**
 * The pipeline of a run's config, which measures how long its modules take, if that is not known; undefined if the run trains in one
 * thread. On several machines, rank 0 measures and decides for all.
 *
 * @throws LocalgradError about a key of the config
 */
export async function runPipeline(config: RunConfig, options: RunPipelineOptions): Promise<RunPipeline | undefined> {
  if (!isPipelined(config)) return undefined;
  const { compiled, images, names, machines, withBatch } = options;
  const { catalog = standardCatalog, project } = names;
  const { workers, placement, asynchronous } = config;
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
  const worker = { program: pipelineProgram(), config: part, backend: workerBackendOf(config) };
  return inTermsOfPlacement(() =>
    inTermsOfKeys(config, async () => {
      const chosen = await choosePlacement({ config, compiled, images, names }, { ...worker, withBatch });
      const { placement: groups } = chosen;
      return {
        chosen,
        pipeline: createPipeline({
          ...{ compiled, placement: groups, ...worker },
          ...(machines === undefined ? {} : { machines }),
        }),
      };
    }),
  );
}

/** Threads of the main program's backend. Native TensorFlow has one number of threads per process: that of the workers. */
export function mainThreadsOf(config: RunConfig): RunConfig['threads'] {
  const worker = workerBackendOf(config);
  return isPipelined(config) && worker.name === 'tensorflow' ? worker.threads : config.threads;
}

/** @throws LocalgradError about the key `workers` if workers cannot have a backend like the run's */
export function checkWorkerBackend(config: RunConfig, backend: string): void {
  // Workers on wasm would not have the bits of a run on native TensorFlow that 'auto' has selected.
  const isOther = backend === 'tensorflow' && workerBackendOf(config).name !== backend;
  if (!isPipelined(config) || (workerBackends.some((name) => name === backend) && !isOther)) return;
  const key = config.workers > 1 ? 'workers' : 'placement';
  throw configError(
    key,
    `workers need backend wasm, tensorflow or cpu, but the run's is '${backend}'; set backend to wasm${isOther ? ' or tensorflow' : ''}.`,
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
