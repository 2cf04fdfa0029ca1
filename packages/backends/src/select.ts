import { at, LocalgradError, rejectUnknownKeys, unknownName } from '@localgrad/core';
import { type Choice, choose, describeTimes, inOrder, type StepTimes } from './choice/choose.js';
import { measureStep } from './choice/measure-step.js';
import { stepTimesStore } from './choice/step-times.js';
import type { BackendDescriptor, BackendHandle, BackendOptions, ProbeResult } from './descriptor.js';
import { descriptors } from './descriptors.node.js';
import type { Environment } from './environment.js';
import type { Measurements } from './measurements.js';
import { describeEnvironment } from './system.node.js';

export const backendNames: readonly string[] = ['auto', ...descriptors.map(({ name }) => name)];

/**
 * Starts a backend and makes it the current one.
 *
 * @param name `auto` selects a GPU's backend if there is one, and else the fastest of the processor's. If several of these are
 * available, a piece of training is measured on each, once per machine; the times are kept in the user's cache folder.
 * @throws LocalgradError `unknown-name`, `backend-unavailable`
 */
export async function selectBackend(name = 'auto', options: BackendOptions = {}): Promise<BackendHandle> {
  rejectUnknownKeys('selectBackend', options, ['threads', 'relaxedSimd', 'tf32', 'wasmPaths']);
  if (name !== 'auto') return start(await availableNamed(name), options, 'requested by name');
  return startFastest(options);
}

/**
 * Checks that `selectBackend` finds a backend of this name on this machine. Starts none: native packages are loaded in a separate
 * process.
 *
 * @throws LocalgradError `unknown-name`, `backend-unavailable`
 */
export async function requireBackend(name = 'auto'): Promise<void> {
  if (name === 'auto') chosenOf(await probeAutomatic(), undefined);
  else await availableNamed(name);
}

async function availableNamed(name: string): Promise<BackendDescriptor> {
  const descriptor = descriptors.find((candidate) => candidate.name === name);
  if (descriptor === undefined) throw unknownName('backend', name, backendNames);
  const { available, reason, howToGetIt } = await descriptor.probe();
  if (available) return descriptor;
  throw new LocalgradError(
    'backend-unavailable',
    `Backend '${name}' is not available: ${reason} ${howToGetIt ?? ''}`.trim(),
  );
}

type Probed = { readonly descriptor: BackendDescriptor; readonly probe: ProbeResult };

function chosenOf(candidates: readonly Probed[], times: StepTimes | undefined): Choice {
  const choice = choose(candidates, times);
  if (choice !== undefined) return choice;
  const reasons = candidates.map(({ descriptor, probe }) => `${descriptor.name}: ${probe.reason}`);
  throw new LocalgradError('backend-unavailable', `No backend is available. ${reasons.join(' ')}`);
}

async function startFastest(options: BackendOptions): Promise<BackendHandle> {
  const candidates = await probeAutomatic();
  const store = stepTimesStore(options);
  const choice = chosenOf(candidates, await store.read());
  const { names, times } = choice.measure ? await measure(choice.names, options, store) : choice;
  const [first] = names;
  const chosen = candidates.findIndex(({ descriptor }) => descriptor.name === first);
  const refusals = candidates
    .slice(0, chosen)
    .filter(({ descriptor }) => !names.includes(descriptor.name))
    .map(({ descriptor, probe }) => `${descriptor.name}: ${probe.reason}`);
  const facts = [...(times === undefined ? [] : [describeTimes(names, times)]), ...refusals];
  const reason = `the fastest available${facts.length === 0 ? '' : ` (${facts.join('; ')})`}`;
  return start(at(candidates, chosen, 'backend').descriptor, options, reason);
}

async function probeAutomatic(): Promise<readonly Probed[]> {
  const probes: Probed[] = [];
  for (const descriptor of descriptors.filter(({ automatic }) => automatic)) {
    const probe = await descriptor.probe();
    probes.push({ descriptor, probe });
    // What comes after a GPU is never selected.
    if (probe.available && probe.hardware && !descriptor.processor) break;
  }
  return probes;
}

async function measure(names: readonly string[], options: BackendOptions, store: Measurements<StepTimes>) {
  const times: Record<string, number> = {};
  for (const descriptor of descriptors.filter(({ name }) => names.includes(name))) {
    const handle = await descriptor.start(options);
    try {
      times[descriptor.name] = measureStep();
    } finally {
      handle.dispose();
    }
  }
  await store.write(times);
  return inOrder(names, times);
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
  /** The backend that `auto` selects; null if none is available, or if `auto` has yet to measure which one is faster. */
  readonly selected: string | null;
  /** Backends that `auto` will measure when it is first used, to select the fastest. */
  readonly toMeasure: readonly string[];
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
  const candidates = descriptors.flatMap((descriptor, index) =>
    descriptor.automatic ? [{ descriptor, probe: at(backends, index, 'backend') }] : [],
  );
  const choice = choose(candidates, await stepTimesStore({}).read());
  return {
    environment: await describeEnvironment(),
    backends,
    selected: choice === undefined || choice.measure ? null : (choice.names[0] ?? null),
    toMeasure: choice?.measure === true ? choice.names : [],
  };
}
