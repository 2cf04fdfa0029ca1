import { keptMeasurements, type Measurements } from '@localgrad/backends';
import type { Span } from '@localgrad/core';
import { outputsOf } from '../batch-targets.js';
import type { OptimizerConfig } from '../config/optimization.js';
import { resolveNames } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { hashOf } from '../folder/hash.js';
import { version } from '../version.js';
import type { DividedRun } from './choose-placement.js';
import { workerBackendOf } from './worker-backend.js';

/** The keys of a config that a step's time depends on, besides those of the plan. */
export type TimingConfig = { readonly batch: number } & Partial<
  Pick<RunConfig, 'accumulate' | 'threads' | 'relaxedSimd' | 'backend'> & OptimizerConfig
>;

/** Seconds of a step of each group of modules, as measured on this machine for the same plan, batch size and images. */
export async function keptGroupTimes(
  { config, images, names }: DividedRun,
  groups: readonly Span[],
): Promise<Measurements<readonly number[]>> {
  const { method, backbone, width, modules, partition, stemModule, memory, memoryBudget, delay = 0 } = config;
  const { gradientDelay = 0, gradientDelayCuts } = config;
  const { batch, accumulate = 1, optimizer, momentum, nesterov } = config;
  const { modules: files } = await resolveNames({ method, backbone, optimizer }, names);
  const { name, threads, relaxedSimd } = workerBackendOf(config);
  const targets = Object.entries(images.targets ?? {}).map(([target, { shape }]) => [target, shape]);
  const facts = {
    ...{ version, groups, backend: name, images: [images.imageShape, outputsOf(images), targets] },
    ...{ method, backbone, width, modules, partition, stemModule, memory, memoryBudget, delay },
    ...{ gradientDelay, gradientDelayCuts },
    ...{ batch, accumulate, optimizer, momentum, nesterov, files: files.map(({ hash }) => hash) },
  };
  return keptMeasurements(
    { threads, relaxedSimd },
    {
      file: 'module-times.json',
      circumstances: [hashOf(facts)],
      isValue: (value): value is readonly number[] =>
        Array.isArray(value) && value.every((one) => Number.isFinite(one) && one >= 0),
    },
  );
}
