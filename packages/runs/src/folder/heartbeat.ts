import { Worker } from 'node:worker_threads';

let nextId = 1;

/** Memory that the thread shares with its claim: milliseconds since the epoch, and the highest claim that the thread has seen. */
const fields = { lastSign: 0, lastProgress: 1, patience: 2, highest: 3, ticks: 4 } as const;

export interface HeartbeatOptions {
  /** Claim whose modification time is the heartbeat. */
  readonly file: string;
  /** Folder of all claims on the run. */
  readonly folder: string;
  readonly number: number;
  readonly seconds: number;
  /** Least number of seconds without progress after which the process counts as hanging. Default 1800. */
  readonly patienceSeconds?: number;
}

/** A process without progress for half an hour, or for 20 of its longest steps, stops sending heartbeats. */
const patienceInSteps = 20;

/**
 * Heartbeats for a claim, from a separate thread, since a training step may block the main thread for minutes. They stop
 * when the main thread makes no progress, so that other machines can take the run over. A main thread that is blocked for
 * that long waits for something that will never happen, e.g. for a dead thread of its backend: the process is then ended.
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
    this.#shared[fields.patience] = this.#leastPatience;
  }

  /** Claims that are released at once never need the thread. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    post({ id: this.#id, shared: this.#shared, fields, ...this.#options });
  }

  /** Milliseconds since the epoch, by the wall clock: the clocks of other machines do not stop while this one sleeps. */
  get lastSign(): number {
    return this.#shared[fields.lastSign] ?? 0;
  }

  /** Highest claim that the thread has seen; 0 before its first look. */
  get highest(): number {
    return this.#shared[fields.highest] ?? 0;
  }

  /** Longest time between two calls of `noteProgress`, in seconds. */
  get longestStep(): number {
    return this.#longestStep / 1000;
  }

  /** Reports progress of the main thread. The next step may block it, so the thread is started here if necessary. */
  noteProgress(): void {
    this.start();
    const now = Date.now();
    const step = now - (this.#shared[fields.lastProgress] ?? 0);
    this.#shared[fields.lastProgress] = now;
    if (step <= this.#longestStep) return;
    this.#longestStep = step;
    this.#shared[fields.patience] = Math.max(this.#leastPatience, patienceInSteps * step);
  }

  /** Called at every interval by the main thread, which cannot do so while it is blocked. */
  tick(): void {
    this.#shared[fields.ticks] = (this.#shared[fields.ticks] ?? 0) + 1;
  }

  /** Milliseconds. */
  get #leastPatience(): number {
    return 1000 * (this.#options.patienceSeconds ?? 1800);
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
  // Counts beats instead of time: a machine may sleep in between.
  let blockedSeconds = 0;
  let ticks = shared[fields.ticks];
  const beat = () => {
    blockedSeconds = shared[fields.ticks] === ticks ? blockedSeconds + seconds : 0;
    ticks = shared[fields.ticks];
    if (1000 * blockedSeconds > shared[fields.patience]) {
      try {
        writeSync(2, 'localgrad: a step has blocked the process for ' + Math.round(blockedSeconds) + ' s and seems to hang, e.g. since a thread of the backend died. The process ends; run the same command again to resume from the last checkpoint.\\n');
      } catch {}
      process.kill(process.pid, 'SIGKILL');
    }
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
