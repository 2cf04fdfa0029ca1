import { LocalgradError, rejectUnknownKeys } from '@localgrad/core';
import {
  findMember,
  type LinkLimits,
  MachineGroup,
  type Member,
  type MemberOptions,
  type Security,
  serveWorker,
} from '@localgrad/pipeline';
import { configError } from '../config/config-error.js';
import type { NameOptions } from '../config/resolve-names.js';
import type { RunConfig } from '../config/run-config.js';
import { machineFacts } from './machine-facts.js';
import { pipelineProgram } from './worker-program.js';

/** How a machine takes part in a run on several machines. */
export interface MachineOptions {
  /** From `findRunMember`. */
  readonly member: Member;
  readonly security: Security;
  readonly limits?: LinkLimits;
  /** Where the names in the config are looked up. */
  readonly names?: NameOptions;
  /** Asks rank 0 to save and end the run. Not used on rank 0, whose signal is an option of `executeRun`. */
  readonly signal?: AbortSignal;
  /** Called with a sentence about each machine that joins, and each caller that was turned away. */
  readonly onProgress?: (text: string) => void;
}

const optionNames = [
  'member',
  'security',
  'limits',
  'names',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof MachineOptions)[];

/**
 * This machine among those of a run, by options or by the environment that Slurm or Kubernetes has set up; undefined if the
 * run has one machine.
 *
 * @param environment `process.env`
 * @throws LocalgradError `invalid-option`
 */
export function findRunMember(
  config: Pick<RunConfig, 'workers' | 'placement'>,
  options: Omit<MemberOptions, 'workers'>,
  environment: Parameters<typeof findMember>[1],
): Member | undefined {
  return findMember({ ...options, workers: groupsOf(config) }, environment);
}

/** The config of a run on several machines, which has one worker for each. @throws LocalgradError about `workers` or `placement` */
export function onMachines(config: RunConfig, ranks: number): RunConfig {
  const { workers, placement, asynchronous } = config;
  if (asynchronous !== 'none') {
    const problem = 'asynchronous workers share the memory of one machine; remove it, or train on one machine.';
    throw configError('asynchronous', `'${asynchronous}': ${problem}`);
  }
  const groups = groupsOf(config);
  if (groups === ranks) return config;
  if (placement !== undefined) {
    throw configError('placement', `'${placement}': ${groups} groups; allowed: ${ranks}, one for each machine.`);
  }
  if (workers === 1) return { ...config, workers: ranks };
  throw configError('workers', `${workers}; allowed: ${ranks}, one for each machine.`);
}

/** Number of groups of modules that are trained at the same time. */
function groupsOf({ workers, placement }: Pick<RunConfig, 'workers' | 'placement'>): number {
  return placement?.trim().split(/[\s,]+/).length ?? workers;
}

/**
 * The other machines of a run, for `executeRun` on rank 0. They wait until it starts, and end when the group is closed.
 *
 * @throws LocalgradError
 */
export async function openMachines(config: RunConfig, options: MachineOptions): Promise<MachineGroup> {
  rejectUnknownKeys('openMachines', options, optionNames);
  const { member, security, limits = {}, names, onProgress } = options;
  const { rank, ranks, first, listenOn } = member;
  if (rank !== 0) throw new LocalgradError('misuse', `Rank ${rank} takes part with serveRun, not with openMachines.`);
  const facts = await machineFacts(onMachines(config, ranks), names);
  return MachineGroup.open({ ranks, port: first.port, host: listenOn, security, limits, facts, onProgress });
}

/**
 * Trains the modules of a worker on a machine other than rank 0, until rank 0 ends the run. The machine needs neither the
 * images nor the run's folder.
 *
 * @throws LocalgradError if rank 0 refuses this machine, or if the run fails on any machine
 */
export async function serveRun(config: RunConfig, options: MachineOptions): Promise<void> {
  rejectUnknownKeys('serveRun', options, optionNames);
  const { member, security, limits, names, signal, onProgress } = options;
  const project = names?.project;
  await serveWorker({
    ...member,
    program: pipelineProgram(),
    facts: await machineFacts(onMachines(config, member.ranks), names),
    security,
    // Names are looked up in the folders of this machine.
    adapt: (part) => ({ ...(typeof part === 'object' ? part : {}), project }),
    ...(limits === undefined ? {} : { limits }),
    signal,
    onProgress,
  });
}
