import type { BackendDescriptor, ProbeResult } from '../descriptor.js';

/** Milliseconds of the same piece of training, by backend. */
export type StepTimes = Readonly<Record<string, number>>;

/** A backend that is available, and what its probe said. */
export interface Candidate {
  readonly descriptor: Pick<BackendDescriptor, 'name' | 'processor'>;
  readonly probe: ProbeResult;
}

/** What `auto` does on this machine. */
export interface Choice {
  /** Backends to choose from, the fastest first where that is known. */
  readonly names: readonly string[];
  /** Whether the order has yet to be measured. */
  readonly measure: boolean;
  /** Times that gave the order. */
  readonly times?: StepTimes;
}

/**
 * The first available backend with hardware; of several that use the processor, the fastest. Which one that is depends on the
 * processor and on its number of cores, so that it is measured once per machine.
 */
export function choose(candidates: readonly Candidate[], times: StepTimes | undefined): Choice | undefined {
  // An emulated GPU is only meant for tests.
  const usable = candidates
    .filter(({ probe }) => probe.available && probe.hardware)
    .map(({ descriptor }) => descriptor);
  const [first] = usable;
  if (first === undefined) return undefined;
  const names = usable.filter(({ processor }) => processor).map(({ name }) => name);
  if (!first.processor || names.length < 2) return { names: [first.name], measure: false };
  if (times === undefined || names.some((name) => times[name] === undefined)) return { names, measure: true };
  return { ...inOrder(names, times), measure: false };
}

/** The names with the fastest first. */
export function inOrder(names: readonly string[], times: StepTimes): { names: readonly string[]; times: StepTimes } {
  const time = (name: string) => times[name] ?? Number.POSITIVE_INFINITY;
  return { names: [...names].sort((a, b) => time(a) - time(b)), times };
}

/** E.g. `wasm takes 21 ms for a piece of training, tensorflow 34 ms`. */
export function describeTimes(names: readonly string[], times: StepTimes): string {
  const [first, ...others] = names.map((name) => [name, `${(times[name] ?? Number.NaN).toPrecision(2)} ms`] as const);
  const rest = others.map(([name, time]) => `, ${name} ${time}`).join('');
  return first === undefined ? '' : `${first[0]} takes ${first[1]} for a piece of training${rest}`;
}
