import { requireBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { configError } from './config-error.js';
import type { RunConfig } from './run-config.js';

/** @throws LocalgradError `backend-unavailable` with the config's key, if this machine does not have the backend */
export async function checkBackend({ backend }: RunConfig): Promise<void> {
  try {
    await requireBackend(backend);
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    throw configError('backend', error.message, { code: error.code, cause: error });
  }
}
