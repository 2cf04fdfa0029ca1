import { version } from '@tensorflow/tfjs';
import type { MemoryInUse } from './descriptor.js';

/** Environment of a run: what its results depend on besides the config. */
export interface Environment {
  readonly runtime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly tfjs: string;
}

const isNode = typeof process === 'object' && process.versions?.node !== undefined;

export async function cpuName(): Promise<string> {
  if (!isNode) return 'browser';
  const { cpus } = await import('node:os');
  return cpus()[0]?.model.trim() ?? 'unknown processor';
}

/** Returns a function that reads the system's free memory. */
export async function freeMemoryBytes(): Promise<() => number> {
  if (!isNode) return () => Number.POSITIVE_INFINITY;
  const { freemem } = await import('node:os');
  return freemem;
}

/** Resident memory of this process; not available in a browser. */
export async function residentMemory(): Promise<MemoryInUse> {
  return { bytes: isNode ? process.memoryUsage.rss() : 0, method: 'resident memory of the process' };
}

export async function describeEnvironment(): Promise<Environment> {
  if (!isNode) {
    return {
      runtime: navigator.userAgent,
      platform: 'browser',
      cpu: 'browser',
      cores: navigator.hardwareConcurrency,
      memoryBytes: 0,
      tfjs: version.tfjs,
    };
  }
  const os = await import('node:os');
  return {
    runtime: `Node ${process.versions.node}`,
    platform: `${process.platform} ${process.arch}`,
    cpu: await cpuName(),
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    tfjs: version.tfjs,
  };
}
