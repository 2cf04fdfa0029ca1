import { Worker } from 'node:worker_threads';
import { LocalgradError } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import { mutate } from './mutate.js';

/** A reader, valid inputs, and fragments of its format. */
export interface Target {
  readonly name: string;
  readonly inputs: readonly Uint8Array[];
  readonly words: readonly string[];
  /** Reads one input; may throw `LocalgradError`. */
  read(bytes: Uint8Array): unknown;
}

/** Invalid behavior of a reader. */
export interface Finding {
  readonly index: number;
  readonly problem: string;
  readonly input: string;
}

const longestSeconds = 1;
const longestMessage = 30_000;
const slackBytes = 128 * 2 ** 20;
/** Maximum bytes of memory per byte of input. */
const largestFactor = 1000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern must match control characters
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/**
 * Reads mutated inputs, each determined by the seed and its index. Returns the first findings. An input that takes 30 s of
 * processor time ends the process, with a message.
 */
export async function findingsOf(target: Target, count: number, seed: number): Promise<Finding[]> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { name: target.name, seed, progress };
  const watchdog = new Worker(new URL('./watchdog.mjs', import.meta.url), { workerData });
  try {
    return await findingsIn(target, count, seed, (index) => Atomics.store(progress, 0, index + 1));
  } finally {
    await watchdog.terminate();
  }
}

async function findingsIn(
  target: Target,
  count: number,
  seed: number,
  onInput: (index: number) => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let index = 0; index < count && findings.length < 5; index++) {
    onInput(index);
    const random = createRandom(seed, `${target.name}/${index}`);
    const input = target.inputs[index % target.inputs.length] ?? new Uint8Array();
    const bytes = mutate(input, random, target.words);
    const problem = await problemOf(target, bytes);
    if (problem !== undefined) {
      findings.push({ index, problem, input: Buffer.from(bytes).toString('base64').slice(0, 4000) });
    }
  }
  return findings;
}

async function problemOf(target: Target, bytes: Uint8Array): Promise<string | undefined> {
  const first = await measured(target, bytes);
  if (first.problem !== undefined) return first.problem;
  // Measures again, because garbage collection or compilation may have interfered.
  const isSlow = ({ seconds }: Measured) => seconds > longestSeconds;
  const isLarge = ({ memory }: Measured) => memory > slackBytes + largestFactor * bytes.length;
  if (!isSlow(first) && !isLarge(first)) return undefined;
  const second = await measured(target, bytes);
  if (isSlow(first) && isSlow(second)) return `took ${second.seconds.toFixed(1)} s of processor time`;
  if (isLarge(first) && isLarge(second)) return `took ${second.memory} bytes of memory for ${bytes.length}`;
  return undefined;
}

interface Measured {
  readonly problem: string | undefined;
  readonly seconds: number;
  readonly memory: number;
}

async function measured(target: Target, bytes: Uint8Array): Promise<Measured> {
  const usage = process.cpuUsage();
  const before = allocated();
  let problem: string | undefined;
  try {
    await target.read(bytes);
  } catch (error) {
    problem = complaintAbout(error);
  }
  const { user, system } = process.cpuUsage(usage);
  return { problem, seconds: (user + system) / 1e6, memory: allocated() - before };
}

function allocated(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function complaintAbout(error: unknown): string | undefined {
  if (!LocalgradError.isInstance(error)) {
    return `threw ${error instanceof Error ? (error.stack ?? error.message).slice(0, 1500) : String(error)}`;
  }
  if (error.message.length > longestMessage) return `threw a message of ${error.message.length} characters`;
  return control.test(error.message) ? 'threw a message with a control character' : undefined;
}
