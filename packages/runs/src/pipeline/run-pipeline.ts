import type { AsynchronousOptions } from '@localgrad/asynchronous';
import { standardCatalog } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import {
  type AsynchronousPipeline,
  createAsynchronousPipeline,
  createPipeline,
  type MachineGroup,
  type Pipeline,
  type PipelineOptions,
} from '@localgrad/pipeline';
import type { PlanImages } from '../batch-targets.js';
import { configError } from '../config/config-error.js';
import { inTermsOfKeys } from '../config/option-keys.js';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { isPipelined } from './is-pipelined.js';
import { type PartConfig, withoutValues } from './part-config.js';
import { pipelineProgram } from './worker-program.js';

/** Backends that each worker can start for itself. */
const workerBackends = ['wasm', 'cpu'] as const;

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
  names: NameOptions,
  machines?: MachineGroup,
): Promise<Pipeline | undefined> {
  if (!isPipelined(config)) return undefined;
  const options = { compiled, ...workerOptions(config, images, names) };
  return inTermsOfPlacement(() =>
    inTermsOfKeys(config, () => createPipeline({ ...options, ...(machines === undefined ? {} : { machines }) })),
  );
}

/**
 * The pipeline of a run with asynchronous workers.
 *
 * @param asynchronous the options that the config's key `asynchronous` contains
 * @throws LocalgradError about a key of the config
 */
export async function runAsynchronousPipeline(
  config: RunConfig,
  compiled: CompiledPlan,
  images: PlanImages,
  names: NameOptions,
  asynchronous: AsynchronousOptions,
): Promise<AsynchronousPipeline> {
  const options = { compiled, ...workerOptions(config, images, names), asynchronous };
  return inTermsOfPlacement(() => inTermsOfKeys(config, () => createAsynchronousPipeline(options)));
}

/** Placement, program and backend of a run's workers. @throws LocalgradError about a key of the config */
function workerOptions(
  config: RunConfig,
  images: PlanImages,
  { catalog = standardCatalog, project }: NameOptions,
): Omit<PipelineOptions, 'compiled' | 'machines'> {
  const { workers, placement, threads, relaxedSimd, backend } = config;
  if (workers > 1 && placement !== undefined) {
    throw configError('workers', `${workers}, but placement '${placement}' already assigns the modules; remove one.`);
  }
  if (catalog !== standardCatalog) {
    throw configError('workers', 'workers know the standard catalog and the packages of the project only.');
  }
  const part: PartConfig = { config, images: withoutValues(images), project };
  const own = { threads: threads === 'auto' ? 1 : threads, relaxedSimd };
  return {
    placement: placement ?? workers,
    program: pipelineProgram(),
    config: part,
    backend: backend === 'cpu' ? { ...own, name: 'cpu' } : own,
  };
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
