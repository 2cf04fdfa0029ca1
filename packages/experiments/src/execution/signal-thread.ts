import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Memory that the thread shares with the main thread: number of its ticks, and the most milliseconds between two of them. */
const fields = { ticks: 0, longest: 1 } as const;

/** Milliseconds between two ticks of the main thread. */
const tickMilliseconds = 500;

/** A blocked main thread has the time of this many of its longest steps. */
const patienceInSteps = 4;

/**
 * Watches signals from a thread of its own, since a main thread that is blocked within an operation sees none. If the main
 * thread does not wake up in time after a signal, or at a second one, the thread ends the process.
 *
 * Node delivers signals to other threads only through an internal binding, which this thread alone can load, through a flag
 * that Node 20 to 24 have. Without it, the main thread handles signals between its operations, as in any program.
 */
export class SignalThread {
  readonly #shared = new Float64Array(new SharedArrayBuffer(8 * Object.keys(fields).length));
  readonly #leastSeconds: number;

  /** @param leastSeconds time that a blocked main thread has after a signal, unless its steps are longer */
  constructor(leastSeconds: number) {
    this.#leastSeconds = leastSeconds;
  }

  start(): void {
    const { SIGINT, SIGTERM, SIGHUP } = constants.signals;
    const workerData = {
      shared: this.#shared,
      fields,
      patienceInSteps,
      leastSeconds: this.#leastSeconds,
      signals: { SIGINT, SIGTERM, SIGHUP },
    };
    try {
      const thread = new Worker(program, {
        eval: true,
        workerData,
        execArgv: ['--expose-internals', '--no-warnings'],
        resourceLimits: { maxOldGenerationSizeMb: 32 },
      });
      thread.on('error', () => {});
      thread.unref();
      this.#tick();
    } catch {
      // Without the thread, the main thread sees signals between its operations.
    }
  }

  #tick(): void {
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      this.#shared[fields.longest] = Math.max(this.#shared[fields.longest] ?? 0, now - last);
      this.#shared[fields.ticks] = (this.#shared[fields.ticks] ?? 0) + 1;
      last = now;
    }, tickMilliseconds);
    timer.unref();
  }
}

/** Program of the thread, as text, so that it works from sources, a build and a bundle. */
const program = `
const { writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');
const { shared, fields, patienceInSteps, leastSeconds, signals } = workerData;
const { Signal } = require('internal/test/binding').internalBinding('signal_wrap');
const say = (text) => {
  try {
    writeSync(2, 'localgrad: ' + text + '\\n');
  } catch {}
};
const end = () => process.kill(process.pid, 'SIGKILL');
let isWaiting = false;
const wait = () => {
  if (isWaiting) return;
  isWaiting = true;
  const patience = Math.ceil(Math.max(leastSeconds, (patienceInSteps * shared[fields.longest]) / 1000));
  const before = shared[fields.ticks];
  // Counts ticks instead of time: a machine may sleep in between.
  let seconds = 0;
  const timer = setInterval(() => {
    if (shared[fields.ticks] !== before) {
      isWaiting = false;
      clearInterval(timer);
    } else if (++seconds === 3) {
      say('stopping after the current step; a second signal stops at once, without saving it.');
    } else if (seconds >= patience) {
      say('the current step did not end within ' + patience + ' s of the signal; work since the last checkpoint is lost.');
      end();
    }
  }, 1000);
};
for (const [name, number] of Object.entries(signals)) {
  const handle = new Signal();
  let isFirst = true;
  handle.onsignal = () => {
    if (isFirst || name === 'SIGHUP') {
      isFirst = false;
      wait();
      return;
    }
    // The default action, unless the main thread is blocked and its handler still registered.
    handle.close();
    process.kill(process.pid, name);
    setTimeout(end, 500);
  };
  handle.start(number);
}
`;
