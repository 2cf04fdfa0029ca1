import { LocalgradError } from '@localgrad/core';

/**
 * Rejects a file whose `formatVersion` is higher than `highest`. Such a file is not damaged, and is not replaced.
 *
 * @param value parsed content of the file
 * @throws LocalgradError `invalid-data`, recognized by `isNewerVersion`
 */
export function rejectNewer(value: unknown, file: string, highest: number): void {
  if (typeof value !== 'object' || value === null || !('formatVersion' in value)) return;
  const { formatVersion } = value;
  if (typeof formatVersion !== 'number' || !Number.isInteger(formatVersion) || formatVersion <= highest) return;
  throw new LocalgradError(
    'invalid-data',
    `'${file}' was written by a newer version of localgrad: it has format version ${formatVersion}, and this version reads up to ${highest}. Update localgrad.`,
    { file, formatVersion, highestFormatVersion: highest },
  );
}

/** Whether an error reports a file of a newer version of localgrad. */
export function isNewerVersion(error: unknown): boolean {
  return LocalgradError.isInstance(error) && 'highestFormatVersion' in error.details;
}
