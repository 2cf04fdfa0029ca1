import { LocalgradError, shown } from '@localgrad/core';
import type { ForecastMachines } from '@localgrad/runs';

/** Flags that describe machines. */
export interface MachineFlags {
  readonly bandwidth?: string;
  readonly latency?: string;
  readonly speed?: string;
}

const prefixes: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const secondUnits: Readonly<Record<string, number>> = { s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6 };

/** The machines that flags describe; undefined without `--bandwidth`. @throws LocalgradError `invalid-option` */
export function machinesOf({ bandwidth, latency, speed }: MachineFlags): ForecastMachines | undefined {
  if (bandwidth === undefined) {
    if (latency === undefined && speed === undefined) return undefined;
    throw new LocalgradError(
      'invalid-option',
      `--${latency === undefined ? 'speed' : 'latency'}: has no effect without --bandwidth, e.g. --bandwidth 10Gbit.`,
    );
  }
  return {
    bandwidth: bytesPerSecond(bandwidth),
    ...(latency === undefined ? {} : { latency: seconds(latency) }),
    ...(speed === undefined ? {} : { speed: perSecond(speed) }),
  };
}

function bytesPerSecond(text: string): number {
  const [, number, prefix = '', unit] = /^([\d.]+)\s*([kMGT]?)(bit|B)(?:\/s)?$/.exec(text) ?? [];
  const value = (Number(number) * (prefixes[prefix] ?? Number.NaN)) / (unit === 'bit' ? 8 : 1);
  return checked('bandwidth', text, value, value > 0, 'numbers > 0 with a unit, such as 10Gbit or 1.25GB');
}

function seconds(text: string): number {
  const [, number, unit = ''] = /^([\d.]+)\s*(s|ms|us|µs)$/.exec(text) ?? [];
  const value = Number(number) * (secondUnits[unit] ?? Number.NaN);
  return checked('latency', text, value, value >= 0, 'numbers ≥ 0 with a unit, such as 1ms or 50us');
}

function perSecond(text: string): number {
  const [, number, prefix = ''] = /^([\d.]+(?:e\d+)?)\s*([kMGT]?)$/.exec(text) ?? [];
  const value = Number(number) * (prefixes[prefix] ?? Number.NaN);
  return checked('speed', text, value, value > 0, 'numbers > 0, such as 20G');
}

function checked(flag: string, text: string, value: number, isAllowed: boolean, allowed: string): number {
  if (isAllowed && Number.isFinite(value)) return value;
  throw new LocalgradError('invalid-option', `--${flag}: ${shown(text)}; allowed: ${allowed}.`);
}
