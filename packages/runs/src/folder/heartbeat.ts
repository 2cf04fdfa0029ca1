import { Worker } from 'node:worker_threads';
import { at } from '@localgrad/core';

let nextId = 1;

/** Memory that the thread shares with its claim: milliseconds since the epoch, and the highest claim that the thread has seen. */
const fields = { lastSign: 0, lastProgress: 1, patience: 2, highest: 3 } as const;

export interface HeartbeatOptions {
  /** Claim whose modification time is the heartbeat. */
  readonly file: string;
  /** Folder of all claims on the run. */
  readonly folder: string;
  readonly number: number;
  readonly seconds: number;
}

/** A process without progress for this long, or for 20 of its longest steps, stops sending heartbeats. */
const leastPatienceSeconds = 1800;
const patienceInSteps = 20;

/**
 * Heartbeats for a claim, from a separate thread, since a training step may block the main thread for minutes. They stop
 * when the main thread hangs, so that other machines can take the run over.
 */
export class Heartbeat {
  readonly #shared = new Float64Array(new SharedArrayBuffer(8 * Object.keys(fields).length));
  readonly #id = nextId++;
  readonly #options: HeartbeatOptions;
  #isStarted = false;
  #longestStep = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#shared[fields.lastSign] = Date.now();
    this.#shared[fields.lastProgress] = Date.now();
    this.#shared[fields.patience] = 1000 * leastPatienceSeconds;
  }

  /** Claims that are released at once never need the thread. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    post({ id: this.#id, shared: this.#shared, fields, ...this.#options });
  }

  /** Milliseconds since the epoch, by the wall clock: the clocks of other machines do not stop while this one sleeps. */
  get lastSign(): number {
    return at(this.#shared, fields.lastSign, 'shared field');
  }

  /** Highest claim that the thread has seen; 0 before its first look. */
  get highest(): number {
    return at(this.#shared, fields.highest, 'shared field');
  }

  /** Longest time between two calls of `noteProgress`, in seconds. */
  get longestStep(): number {
    return this.#longestStep / 1000;
  }

  /** Reports progress of the main thread. The next step may block it, so the thread is started here if necessary. */
  noteProgress(): void {
    this.start();
    const now = Date.now();
    const step = now - at(this.#shared, fields.lastProgress, 'shared field');
    this.#shared[fields.lastProgress] = now;
    if (step <= this.#longestStep) return;
    this.#longestStep = step;
    this.#shared[fields.patience] = Math.max(1000 * leastPatienceSeconds, patienceInSteps * step);
  }

  /** Records a heartbeat that the main thread sent itself. */
  noteSign(): void {
    this.#shared[fields.lastSign] = Date.now();
  }

  stop(): void {
    if (this.#isStarted) post({ id: this.#id });
  }
}

let thread: Worker | undefined;

/** One thread for all claims of the process. If it cannot be started, claims send their own heartbeats. */
function post(message: object): void {
  try {
    if (thread === undefined) {
      thread = new Worker(program, { eval: true, execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 32 } });
      thread.on('error', () => {
        thread = undefined;
      });
      thread.unref();
    }
    thread.postMessage(message);
  } catch {
    thread = undefined;
  }
}

/**
 * Program of the thread, as text, so that it works from sources, a build and a bundle. It rewrites the content of the file,
 * so that the file server sets the time from its own clock; `utimes` would use this machine's clock.
 */
const program = `
const { closeSync, openSync, readdirSync, writeSync } = require('node:fs');
const { parentPort } = require('node:worker_threads');
const timers = new Map();
parentPort.on('message', ({ id, shared, fields, file, folder, number, seconds }) => {
  clearInterval(timers.get(id));
  timers.delete(id);
  if (file === undefined) return;
  const beat = () => {
    if (Date.now() - shared[fields.lastProgress] > shared[fields.patience]) return;
    try {
      const descriptor = openSync(file, 'r+');
      try {
        writeSync(descriptor, '{', 0);
      } finally {
        closeSync(descriptor);
      }
      const numbers = readdirSync(folder).map((name) => (/^\\d{6,}\\.json$/.test(name) ? parseInt(name, 10) : 0));
      shared[fields.highest] = Math.max(0, ...numbers);
      shared[fields.lastSign] = Date.now();
      if (shared[fields.highest] > number) clearInterval(timers.get(id));
    } catch {}
  };
  timers.set(id, setInterval(beat, 1000 * seconds));
});
`;
