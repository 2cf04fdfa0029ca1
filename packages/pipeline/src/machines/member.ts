import { hostname } from 'node:os';
import { LocalgradError, shown } from '@localgrad/core';
import type { Address } from './hello.js';
import { hostsOf } from './host-list.js';

/** This machine among those of a run. */
export interface Member {
  /** 0: the machine that writes the run's folder and trains the first group of modules. */
  readonly rank: number;
  /** Number of machines. */
  readonly ranks: number;
  /** Where rank 0 listens. */
  readonly first: Address;
  /** Where the next rank reaches this machine. Port 0: any free port, which is announced to the others. */
  readonly own: Address;
  /** Interface to listen on; undefined: all. */
  readonly listenOn: string | undefined;
}

/** Options of `findMember`. */
export interface MemberOptions {
  /** Number of workers of the run: one for each machine. */
  readonly workers?: number | undefined;
  readonly rank?: number | undefined;
  /** `a:7000,b:7000`, or a pattern for all ranks such as `worker-{rank}.example:7000`. */
  readonly hosts?: string | undefined;
  /** Port of hosts without one, and of rank 0 under Slurm. */
  readonly port?: number | undefined;
}

export const defaultPort = 7470;

/** Where an indexed Job of Kubernetes and a step of Slurm say which of its pods or tasks this one is. */
const rankVariables = ['JOB_COMPLETION_INDEX', 'SLURM_PROCID'] as const;

/** Ports that Slurm's jobs use unless one is given: each job has its own. */
const slurmPorts = { first: 12_000, count: 20_000 } as const;

/**
 * Finds out which machine of a run this one is: from the options, or from the environment of a Slurm step (`srun`) or of an
 * indexed Job of Kubernetes, which needs `hosts`.
 *
 * @param environment `process.env`
 * @returns undefined if the run has one machine
 * @throws LocalgradError `invalid-option`
 */
export function findMember(
  options: MemberOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Member | undefined {
  if (options.hosts !== undefined) return listedMember(options.hosts, options, environment);
  if (options.rank !== undefined) {
    throw invalid('rank', options.rank, 'it has no effect without hosts', 'hosts such as a:7000,b:7000');
  }
  return slurmMember(options, environment);
}

function listedMember(
  hosts: string,
  { workers = 1, rank: given, port = defaultPort }: MemberOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Member {
  const isPattern = hosts.includes('{rank}');
  if (isPattern && workers < 2) {
    throw invalid(
      'hosts',
      hosts,
      'a pattern does not say how many machines there are',
      'a list, or a number of workers',
    );
  }
  const texts = isPattern
    ? Array.from({ length: workers }, (_, index) => hosts.replaceAll('{rank}', String(index)))
    : hosts.split(',').map((text) => text.trim());
  const addresses = texts.map((text) => addressOf(text, hosts, port));
  const variable = rankVariables.find((name) => (environment[name] ?? '') !== '');
  if (given === undefined && variable === undefined) {
    const allowed = `with its rank, ${ranks(addresses)}`;
    throw invalid('hosts', hosts, 'it does not say which of them is this machine', allowed);
  }
  const rank = given ?? Number(environment[variable ?? '']);
  const [first, own] = [addresses[0], addresses[rank]];
  if (first === undefined || own === undefined) {
    const option = given === undefined && variable !== undefined ? variable : 'rank';
    const value = given ?? environment[option] ?? '';
    throw invalid(option, value, `there are ${addresses.length} hosts`, ranks(addresses));
  }
  return { rank, ranks: addresses.length, first, own, listenOn: isLoopback(own.host) ? own.host : undefined };
}

function slurmMember(
  { workers = 1, port }: MemberOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Member | undefined {
  // A batch script has a rank and a number of tasks as well; but only tasks of a step have started together.
  const {
    SLURM_STEP_ID,
    SLURM_JOB_ID = '0',
    SLURM_PROCID,
    SLURM_NTASKS,
    SLURM_STEP_NUM_TASKS = SLURM_NTASKS,
  } = environment;
  const ranks = Number(SLURM_STEP_NUM_TASKS ?? 1);
  // Tasks that have nothing to divide are runs of their own.
  if (SLURM_STEP_ID === undefined || SLURM_PROCID === undefined || ranks < 2 || workers < 2) return undefined;
  const [host = 'localhost'] = hostsOf(environment.SLURM_STEP_NODELIST ?? environment.SLURM_JOB_NODELIST ?? '');
  // Steps of one job that run at the same time have ports of their own, too.
  const job = 61 * Number(SLURM_JOB_ID) + Number(SLURM_STEP_ID);
  const first = { host, port: port ?? slurmPorts.first + (job % slurmPorts.count) };
  const rank = Number(SLURM_PROCID);
  const own = rank === 0 ? first : { host: environment.SLURMD_NODENAME ?? hostname(), port: 0 };
  return { rank, ranks, first, own, listenOn: undefined };
}

function addressOf(text: string, hosts: string, defaultPort: number): Address {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? defaultPort);
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw invalid('hosts', hosts, `${shown(text)} is not a host`, 'a:7000,b:7000 or worker-{rank}.example:7000');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** @param option an option, or the variable that stands for the rank */
function invalid(
  option: 'hosts' | 'rank' | (typeof rankVariables)[number],
  value: string | number,
  problem: string,
  allowed: string,
): LocalgradError {
  const isOption = option === 'hosts' || option === 'rank';
  return new LocalgradError('invalid-option', `${option} ${shown(value)}: ${problem}; allowed: ${allowed}.`, {
    where: 'machines',
    ...(isOption ? { option } : { variable: option }),
    value,
    allowed,
  });
}

/** The ranks of these machines, for messages. */
function ranks(addresses: readonly unknown[]): string {
  return `0 to ${addresses.length - 1}`;
}
