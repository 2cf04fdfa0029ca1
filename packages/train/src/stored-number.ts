/** A number in a checkpoint. JSON has neither NaN nor infinity and writes null for both, so they are stored by name. */
export type StoredNumber = number | 'NaN' | 'Infinity' | '-Infinity';

export function storedNumber(value: number): StoredNumber {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}

/** @param value null in checkpoints written before NaN and infinity were distinguished */
export function numberOf(value: StoredNumber | null): number {
  return value === null ? Number.NaN : Number(value);
}
