import { type ErrorCode, LocalgradError } from '@localgrad/core';
import { codeOf } from './folder/file-system.js';
import { isNewerVersion } from './folder/newer-version.js';

/**
 * The cause of an error.
 *
 * - `run`: its config, method or training
 * - `machine`: disk, network, backend or a missing file of the machine, an old version of localgrad; another machine may succeed
 * - `unknown`: cannot be determined from the error, e.g. a TypeError in a plugin or in a broken installation
 */
export type Fault = 'run' | 'machine' | 'unknown';

const faults: Partial<Record<ErrorCode, Fault>> = {
  'backend-lost': 'machine',
  'backend-unavailable': 'machine',
  'missing-dependency': 'machine',
  'unknown-name': 'run',
  'invalid-option': 'run',
  'invalid-plan': 'run',
  'shape-mismatch': 'run',
  'out-of-memory': 'run',
  'non-finite-loss': 'run',
  misuse: 'run',
};

export function faultOf(error: unknown): Fault {
  // A machine with a newer version of localgrad may succeed.
  if (isSystemError(error) || isNewerVersion(error)) return 'machine';
  return LocalgradError.isInstance(error) ? (faults[error.code] ?? 'unknown') : 'unknown';
}

/** An error of the operating system, or one that explains such an error. */
function isSystemError(error: unknown): boolean {
  if (codeOf(error) !== undefined) return true;
  return error instanceof Error && error.cause !== undefined && isSystemError(error.cause);
}
