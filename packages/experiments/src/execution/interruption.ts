import { SignalThread } from './signal-thread.js';

/** Seconds that a command has to save and to end after the first signal. */
const graceSeconds = 60;

export interface InterruptionOptions {
  /** Seconds that a program has to end after the first signal. Default 60. */
  readonly seconds?: number;
  /** Least number of seconds for a step that blocks the main thread at that time. Default 300. */
  readonly blockedSeconds?: number;
}

/**
 * A signal that aborts when the process is asked to end: by Ctrl-C, a scheduler, or a terminal that closes. The command then
 * ends after its step, with its files complete. A second Ctrl-C ends it at once, and a program that hangs is ended after the
 * grace period, even if its main thread is blocked.
 */
export function interruption({ seconds = graceSeconds, blockedSeconds = 300 }: InterruptionOptions = {}): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    controller.abort(new Error('interrupted'));
    // Counts ticks instead of time: a step that blocks the thread is at work, and is saved when it has ended.
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks < seconds) return;
      process.stderr.write(
        `localgrad: nothing ended within ${seconds} s of the signal; work since the last checkpoint is lost.\n`,
      );
      process.exit(130);
    }, 1000);
    // It must not keep a process alive that is about to end.
    timer.unref();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  // A closed terminal may send it twice: from the shell and from the kernel.
  process.on('SIGHUP', stop);
  new SignalThread(blockedSeconds).start();
  return controller.signal;
}
