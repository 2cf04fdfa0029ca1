/** A number as a checkpoint keeps it: JSON knows neither NaN nor infinity, and writes null for both. */
export type StoredNumber = number | 'NaN' | 'Infinity' | '-Infinity';

export function storedNumber(value: number): StoredNumber {
  return Number.isFinite(value) ? value : (String(value) as StoredNumber);
}

/** @param value null in checkpoints that were written before infinity and NaN were told apart */
export function numberOf(value: StoredNumber | null): number {
  return value === null ? Number.NaN : Number(value);
}
