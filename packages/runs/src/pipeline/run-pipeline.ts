import type { AsynchronousOptions } from '@localgrad/asynchronous';
import { standardCatalog } from '@localgrad/catalog';
import { LocalgradError, type Optimizer } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import {
  type AsynchronousPipeline,
  checkOptimizer,
  createAsynchronousPipeline,
  createPipeline,
  type MachineGroup,
  type Pipeline,
  type PipelineOptions,
  type WorkerBackend,
} from '@localgrad/pipeline';
import type { PlanImages } from '../batch-targets.js';
import { configError } from '../config/config-error.js';
import { inTermsOfKeys } from '../config/option-keys.js';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { type ChosenPlacement, choosePlacement, type PlacementMeasurement } from './choose-placement.js';
import { isPipelined } from './is-pipelined.js';
import { type PartConfig, withoutValues } from './part-config.js';
import { workerBackendOf, workerBackends } from './worker-backend.js';
import { pipelineProgram } from './worker-program.js';

/** The pipeline of a run, and how its modules were divided. */
export interface RunPipeline {
  readonly pipeline: Pipeline;
  readonly chosen: ChosenPlacement;
}

/** What the pipeline of a run needs besides its config. */
export interface RunPipelineOptions extends Pick<PlacementMeasurement, 'withBatch' | 'signal'> {
  readonly compiled: CompiledPlan;
  readonly optimizer: Pick<Optimizer, 'needsWholeStep'>;
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
  const { compiled, optimizer, images, names, machines, withBatch, signal } = options;
  const worker = workerOptions(config, images, names);
  return inTermsOfPlacement(() =>
    inTermsOfKeys(config, async () => {
      const run = { config, compiled, optimizer, images, names };
      const chosen = await choosePlacement(run, { ...worker, withBatch, signal });
      const { placement } = chosen;
      const others = machines === undefined ? {} : { machines };
      return { chosen, pipeline: createPipeline({ compiled, placement, ...worker, ...others }) };
    }),
  );
}

/**
 * The pipeline of a run with asynchronous workers, whose modules are divided by predicted work.
 *
 * @param asynchronous the options that the config's key `asynchronous` contains
 * @throws LocalgradError about a key of the config
 */
export async function runAsynchronousPipeline(
  config: RunConfig,
  { compiled, optimizer, images, names }: Pick<RunPipelineOptions, 'compiled' | 'optimizer' | 'images' | 'names'>,
  asynchronous: AsynchronousOptions,
): Promise<AsynchronousPipeline> {
  const { workers, placement = workers } = config;
  const options = { compiled, placement, ...workerOptions(config, images, names), asynchronous };
  return inTermsOfPlacement(() =>
    inTermsOfKeys(config, async () => {
      const pipeline = createAsynchronousPipeline(options);
      checkOptimizer(optimizer, pipeline.placement.length);
      return pipeline;
    }),
  );
}

/** Program and backend of a run's workers. @throws LocalgradError about a key of the config */
function workerOptions(
  config: RunConfig,
  images: PlanImages,
  { catalog = standardCatalog, project }: NameOptions,
): Pick<PipelineOptions, 'program' | 'config' | 'backend'> & { readonly backend: WorkerBackend } {
  const { workers, placement } = config;
  if (workers > 1 && placement !== undefined) {
    throw configError('workers', `${workers}, but placement '${placement}' already assigns the modules; remove one.`, {
      mentions: ['placement'],
    });
  }
  if (catalog !== standardCatalog) {
    throw configError('workers', 'workers know the standard catalog and the packages of the project only.');
  }
  const part: PartConfig = { config, images: withoutValues(images), project };
  return { program: pipelineProgram(), config: part, backend: workerBackendOf(config) };
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
    { mentions: ['backend'] },
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
