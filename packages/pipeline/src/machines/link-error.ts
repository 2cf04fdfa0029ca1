import type { ErrorCode } from '@localgrad/core';

/**
 * An error of a connection between machines. Not a `LocalgradError`, whose package loads TensorFlow.js, because connections
 * have a thread of their own.
 */
export class LinkError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LinkError';
    this.code = code;
  }
}

/** Why a connection was lost; the sentence about it names the machine. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
