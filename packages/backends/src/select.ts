import { LocalgradError, rejectUnknownKeys, unknownName } from '@localgrad/core';
import type { BackendDescriptor, BackendHandle, BackendOptions, ProbeResult } from './descriptor.js';
import { descriptors } from './descriptors.node.js';
import type { Environment } from './environment.js';
import { describeEnvironment } from './system.node.js';

export const backendNames: readonly string[] = ['auto', ...descriptors.map(({ name }) => name)];

/**
 * Starts a backend and makes it the current one.
 *
 * @param name `auto` selects the first available backend
 * @throws LocalgradError `unknown-name`, `backend-unavailable`
 */
export async function selectBackend(name = 'auto', options: BackendOptions = {}): Promise<BackendHandle> {
  rejectUnknownKeys('selectBackend', options, ['threads', 'relaxedSimd', 'wasmPaths']);
  if (name !== 'auto') {
    const descriptor = descriptors.find((candidate) => candidate.name === name);
    if (descriptor === undefined) throw unknownName('backend', name, backendNames);
    const { available, reason, howToGetIt } = await descriptor.probe();
    if (!available) {
      throw new LocalgradError(
        'backend-unavailable',
        `Backend '${name}' is not available: ${reason} ${howToGetIt ?? ''}`.trim(),
      );
    }
    return start(descriptor, options, 'requested by name');
  }
  const refusals: string[] = [];
  for (const descriptor of descriptors.filter(({ automatic }) => automatic)) {
    const { available, reason, hardware } = await descriptor.probe();
    // An emulated GPU is only meant for tests.
    if (available && hardware) {
      const others = refusals.length === 0 ? '' : ` (${refusals.join('; ')})`;
      return start(descriptor, options, `the fastest available${others}`);
    }
    refusals.push(`${descriptor.name}: ${reason}`);
  }
  throw new LocalgradError('backend-unavailable', `No backend is available. ${refusals.join(' ')}`);
}

async function start(descriptor: BackendDescriptor, options: BackendOptions, reason: string): Promise<BackendHandle> {
  const handle = await descriptor.start(options);
  return { ...handle, name: descriptor.name, reason };
}

export interface BackendDiagnosis extends ProbeResult {
  readonly name: string;
  readonly description: string;
}

export interface DoctorReport {
  readonly environment: Environment;
  readonly backends: readonly BackendDiagnosis[];
  /** The backend that `auto` selects; null if none is available. */
  readonly selected: string | null;
}

/** Lists available and missing backends, and how to install the missing ones. Starts no backend. */
export async function diagnose(): Promise<DoctorReport> {
  const backends = await Promise.all(
    descriptors.map(async (descriptor) => ({
      name: descriptor.name,
      description: descriptor.description,
      ...(await descriptor.probe()),
    })),
  );
  const automatic = new Set(descriptors.filter((entry) => entry.automatic).map(({ name }) => name));
  const selected = backends.find(({ name, available, hardware }) => available && hardware && automatic.has(name));
  return { environment: await describeEnvironment(), backends, selected: selected?.name ?? null };
}
