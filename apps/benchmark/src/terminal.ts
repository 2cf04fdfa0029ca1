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
