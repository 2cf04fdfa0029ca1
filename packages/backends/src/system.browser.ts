import { version } from '@tensorflow/tfjs';
import type { MemoryInUse } from './descriptor.js';
import type { Environment } from './environment.js';

export function cpuName(): string {
  return 'browser';
}

/** Browsers do not report free memory. */
export function freeMemoryBytes(): number {
  return Number.POSITIVE_INFINITY;
}

/** Browsers do not report the memory of their processes. */
export async function residentMemory(): Promise<MemoryInUse> {
  return { bytes: 0, method: 'resident memory of the process' };
}

export async function describeEnvironment(): Promise<Environment> {
  return {
    runtime: navigator.userAgent,
    platform: 'browser',
    cpu: cpuName(),
    cores: navigator.hardwareConcurrency,
    memoryBytes: 0,
    tfjs: version.tfjs,
  };
}
