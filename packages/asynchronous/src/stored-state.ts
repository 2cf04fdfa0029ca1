import { type JsonObject, type JsonValue, LocalgradError } from '@localgrad/core';

function mismatch(): LocalgradError {
  return new LocalgradError(
    'invalid-data',
    'The checkpoint does not contain the state of asynchronous training with these modules and buffers.',
  );
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** @throws LocalgradError `invalid-data` */
export function objectOf(value: JsonValue): JsonObject {
  if (typeof value !== 'object' || value === null || isList(value)) throw mismatch();
  return value;
}

/** @throws LocalgradError `invalid-data` */
export function listOf(value: JsonValue | undefined, length: number): readonly JsonValue[] {
  if (value === undefined || !isList(value) || value.length !== length) throw mismatch();
  return value;
}

/** @throws LocalgradError `invalid-data` */
export function countOf(value: JsonValue | undefined): number {
  const count = integerOf(value);
  if (count < 0) throw mismatch();
  return count;
}

/** @throws LocalgradError `invalid-data` */
export function integerOf(value: JsonValue | undefined): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw mismatch();
  return value;
}

/** @throws LocalgradError `invalid-data` */
export function countsOf(value: JsonValue | undefined, length: number): number[] {
  return listOf(value, length).map(countOf);
}
