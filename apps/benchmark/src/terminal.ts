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
