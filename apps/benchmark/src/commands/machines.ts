import { LocalgradError } from '@localgrad/core';
import { findRunMember, type MachineOptions, type RunConfig, readText } from '@localgrad/runs';
import { type Command, InvalidArgumentError } from 'commander';
import { type Terminal, warn } from '../terminal.js';
import { wholeNumber } from '../whole-number.js';

/** Flags of a run on several machines. */
export interface MachineFlags {
  readonly rank?: number;
  readonly hosts?: string;
  readonly port?: number;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly joinTimeout?: number;
  readonly stallTimeout?: number;
}

const tlsFlags = { tlsCert: '--tls-cert', tlsKey: '--tls-key', tlsCa: '--tls-ca' } as const;
const otherFlags = {
  port: '--port',
  tokenFile: '--token-file',
  ...tlsFlags,
  joinTimeout: '--join-timeout',
  stallTimeout: '--stall-timeout',
} as const;

/** A token is a secret, which the list of processes would show if it was a flag. */
const tokenVariable = 'LOCALGRAD_TOKEN';

export function addMachineFlags(command: Command): Command {
  return command
    .option('--hosts <list>', 'train on several machines: host:port of each, or a pattern with {rank}')
    .option('--rank <number>', 'which of the hosts this machine is, from 0 (default: from Slurm or Kubernetes)', rank)
    .option('--port <number>', 'port of hosts without one, and of rank 0 under Slurm', port)
    .option('--token-file <file>', `file with the token of all machines (default: variable ${tokenVariable})`)
    .option('--tls-cert <file>', "this machine's certificate, to encrypt connections between machines")
    .option('--tls-key <file>', 'private key of the certificate')
    .option('--tls-ca <file>', "certificate of the authority that signed all machines' certificates")
    .option('--join-timeout <seconds>', 'time to wait for the other machines (default: 120)', wholeNumber)
    .option('--stall-timeout <seconds>', 'time in which a machine must accept a message (default: 900)', wholeNumber);
}

/**
 * How this machine takes part in the run; undefined if the run has one machine.
 *
 * @throws LocalgradError `invalid-option` that names a flag
 */
export async function machineOptions(
  config: RunConfig,
  flags: MachineFlags,
  terminal: Terminal,
): Promise<MachineOptions | undefined> {
  const member = inTermsOfFlags(() => findRunMember(config, flags, process.env));
  if (member === undefined) {
    const unused = Object.entries(otherFlags).find(([key]) => Object.hasOwn(flags, key));
    if (unused === undefined) return undefined;
    throw new LocalgradError(
      'invalid-option',
      `${unused[1]}: has no effect on one machine; add --hosts and --rank, or --workers and start with srun.`,
    );
  }
  const { joinTimeout, stallTimeout } = flags;
  return {
    member,
    security: { token: await readToken(flags), tls: await readTls(flags) },
    limits: {
      ...(joinTimeout === undefined ? {} : { join: joinTimeout }),
      ...(stallTimeout === undefined ? {} : { stall: stallTimeout }),
    },
    ...(terminal.signal === undefined ? {} : { signal: terminal.signal }),
    onProgress: (text) => warn(terminal, text),
  };
}

async function readToken({ tokenFile }: MachineFlags): Promise<string> {
  const token = tokenFile === undefined ? process.env[tokenVariable] : await readText(tokenFile);
  if (token !== undefined && token.trim() !== '') return token.trim();
  throw new LocalgradError(
    'invalid-option',
    `${tokenFile === undefined ? tokenVariable : '--token-file'}: not given; allowed: the same text of at least 16 characters on all machines, e.g. the output of 'openssl rand -hex 32'.`,
  );
}

async function readTls(flags: MachineFlags): Promise<MachineOptions['security']['tls']> {
  const { tlsCert, tlsKey, tlsCa } = flags;
  if (tlsCert !== undefined && tlsKey !== undefined && tlsCa !== undefined) {
    return { cert: await readText(tlsCert), key: await readText(tlsKey), ca: await readText(tlsCa) };
  }
  const missing = Object.entries(tlsFlags).flatMap(([key, flag]) => (Object.hasOwn(flags, key) ? [] : [flag]));
  if (missing.length === Object.keys(tlsFlags).length) return undefined;
  throw new LocalgradError('invalid-option', `${missing.join(', ')}: not given; TLS needs all three files.`);
}

/** Errors about `rank` and `hosts` as errors about their flags. */
function inTermsOfFlags<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    if (!LocalgradError.isInstance(cause) || cause.details.where !== 'machines' || !('option' in cause.details)) {
      throw cause;
    }
    throw new LocalgradError(cause.code, `--${cause.message}`, cause.details, { cause });
  }
}

function rank(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 0 on, not '${text}'.`);
}

function port(text: string): number {
  const value = wholeNumber(text);
  if (value <= 65_535) return value;
  throw new InvalidArgumentError(`It must be at most 65535, not '${text}'.`);
}
