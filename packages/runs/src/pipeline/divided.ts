import { LocalgradError } from '@localgrad/core';
import type { Placement } from '@localgrad/pipeline';

/** The groups of modules, or why there are none. */
export function divided(divide: () => Placement): Placement | string {
  try {
    return divide();
  } catch (error) {
    if (LocalgradError.isInstance(error) && error.code === 'invalid-option') return error.message;
    throw error;
  }
}
