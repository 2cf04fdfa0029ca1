import { printable } from '@localgrad/core';

/** The part of a Node stream that commands use. */
export interface TextStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Where a command writes: results to stdout, everything else to stderr. */
export interface Terminal {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Asks for an early end. */
  readonly signal?: AbortSignal;
}

/** Writes a message to stderr; it may quote files and names with control characters. */
export function warn({ stderr }: Terminal, message: string): void {
  stderr.write(`localgrad: ${printable(message)}\n`);
}

/**
 * A terminal that notes whether a command has looked at its signal, as those do that end after a step.
 *
 * @returns `unwatched` rejects with the signal's reason when it is aborted and no command watches it: a command of seconds ends
 * at once
 */
export function watchedSignal(terminal: Terminal): { readonly watched: Terminal; readonly unwatched: Promise<never> } {
  const { stdout, stderr, signal } = terminal;
  if (signal === undefined) return { watched: terminal, unwatched: new Promise(() => {}) };
  let isWatched = false;
  const watched: Terminal = {
    stdout,
    stderr,
    get signal() {
      isWatched = true;
      return signal;
    },
  };
  const unwatched = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => isWatched || reject(signal.reason), { once: true });
  });
  // If the command ends first, nothing waits for it.
  unwatched.catch(() => {});
  return { watched, unwatched };
}
