import { LocalgradError } from '@localgrad/core';
import type { ManifestFlags, SlurmFlags, SweepFlags } from './flags.js';

type RunFlags = SweepFlags & SlurmFlags;
type Flag = keyof RunFlags | keyof ManifestFlags;

const ofJobs = ['cpus', 'gpus', 'memory', 'minutes', 'parallelism', 'runsPerJob'] as const;
const ofSlurm = ['partition', 'account', 'slurm', 'maximumArraySize', 'dryRun'] as const;
const ofKubernetes = ['image', 'volumeClaim', 'mountPath', 'queue'] as const;

/** Flags without effect by executor, and the flags to use instead. */
const foreign: Readonly<Record<string, readonly [flags: readonly Flag[], cure: string]>> = {
  local: [[...ofJobs, ...ofSlurm], 'It has --processes and --threads'],
  debug: [['processes', ...ofJobs, ...ofSlurm], 'It has --threads'],
  slurm: [['processes', 'threads'], 'Jobs have --cpus, each with one run at a time, and --parallelism'],
  shell: [
    ['gpus', 'memory', 'minutes', 'parallelism', ...ofKubernetes],
    'A list has --cpus and --runs-per-job; the rest is up to what runs it',
  ],
  kubernetes: [['runsPerJob', 'only'], 'An indexed Job has one index for each run'],
};

/** @throws LocalgradError `invalid-option` for a flag that has no effect on the executor or kind of manifest */
export function refuseForeignFlags(executor: string, flags: Partial<RunFlags & ManifestFlags>): void {
  const [refused, cure] = foreign[executor] ?? [[], ''];
  const given = refused.filter((flag) => flags[flag] !== undefined);
  if (given.length === 0) return;
  const names = given.map((flag) => `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new LocalgradError(
    'invalid-option',
    `${names.join(', ')}: '${executor}' has no use for ${given.length === 1 ? 'it' : 'them'}. ${cure}.`,
    { executor, flags: names },
  );
}
