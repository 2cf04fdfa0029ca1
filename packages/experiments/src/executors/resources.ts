import { LocalgradError } from '@localgrad/core';

/** What a job asks for: the same words for every scheduler. */
export interface Resources {
  /** Processor cores of each job. Default 1. */
  readonly cpus?: number | undefined;
  /** Graphics processors of each job. Default 0. */
  readonly gpus?: number | undefined;
  /** Main memory of each job, e.g. `8GiB` or `512MiB`. Default: the scheduler's. */
  readonly memory?: string | undefined;
  /** Minutes after which a job may be ended. Default: the scheduler's. */
  readonly minutes?: number | undefined;
  /** Jobs at work at a time. Default: no limit. */
  readonly parallelism?: number | undefined;
}

/** @throws LocalgradError `invalid-option` */
export function checkResources({ cpus, gpus, memory, minutes, parallelism }: Resources): void {
  const whole = { cpus, gpus, minutes, parallelism };
  for (const [name, value] of Object.entries(whole)) {
    const least = name === 'gpus' ? 0 : 1;
    if (value !== undefined && !(Number.isInteger(value) && value >= least)) {
      throw new LocalgradError('invalid-option', `${name}: ${value}; allowed: whole numbers from ${least} on.`, {
        name,
        value,
      });
    }
  }
  if (memory !== undefined) mebibytes(memory);
}

/** `8GiB` → 8192. @throws LocalgradError `invalid-option` */
export function mebibytes(memory: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(MiB|GiB|TiB)$/.exec(memory.trim()) ?? [];
  const factor = { MiB: 1, GiB: 1024, TiB: 1024 ** 2 }[unit as 'MiB'];
  const value = Math.ceil(Number(amount) * (factor ?? Number.NaN));
  if (value >= 1) return value;
  throw new LocalgradError(
    'invalid-option',
    `memory: '${memory}'; allowed: a number with MiB, GiB or TiB, e.g. 8GiB.`,
    { memory },
  );
}
