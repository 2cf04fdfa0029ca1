import os from 'node:os';
import { version } from '@tensorflow/tfjs';
import type { MemoryInUse } from './descriptor.js';
import type { Environment } from './environment.js';

export function cpuName(): string {
  return os.cpus()[0]?.model.trim() ?? 'unknown processor';
}

/** The system's free memory. */
export function freeMemoryBytes(): number {
  return os.freemem();
}

/** Resident memory of this process. */
export async function residentMemory(): Promise<MemoryInUse> {
  return { bytes: process.memoryUsage.rss(), method: 'resident memory of the process' };
}

export async function describeEnvironment(): Promise<Environment> {
  return {
    runtime: `Node ${process.versions.node}`,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpuName(),
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    tfjs: version.tfjs,
  };
}
