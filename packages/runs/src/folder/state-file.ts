import { LocalgradError } from '@localgrad/core';
import type { z } from 'zod';
import { codeOf } from './file-system.js';
import { damagedFile, readBytesIfThere, textOf } from './files.js';
import { rejectNewer } from './newer-version.js';

/** A JSON file with the state of a run or sweep. */
export interface StateFormat<Schema extends z.ZodType> {
  /** What the file is, for messages, e.g. `the summary of a run`. */
  readonly what: string;
  readonly schema: Schema;
  /** Highest `formatVersion` that this program reads, if the file has one. */
  readonly version?: number;
}

/**
 * Reads a state file; undefined if it does not exist.
 *
 * @throws LocalgradError `invalid-data` that names the file and the problem: empty, truncated, other content, or that of a
 * newer version
 */
export async function readStateFile<Schema extends z.ZodType>(
  file: string,
  format: StateFormat<Schema>,
): Promise<z.output<Schema> | undefined> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBytesIfThere(file);
  } catch (error) {
    if (codeOf(error) === undefined || !(error instanceof Error)) throw error;
    throw new LocalgradError('invalid-data', error.message, { file }, { cause: error });
  }
  return bytes === undefined ? undefined : parseState(bytes, file, format);
}

/** @param file name for messages @throws LocalgradError `invalid-data` */
export function parseState<Schema extends z.ZodType>(
  bytes: Buffer,
  file: string,
  { what, schema, version }: StateFormat<Schema>,
): z.output<Schema> {
  const text = textOf(bytes, file);
  if (text.trim() === '') throw damagedFile(file, 'it is empty');
  // A power failure may leave a file with the right size and nothing in it.
  if (/^\0+$/.test(text)) throw damagedFile(file, 'it contains nothing but zero bytes');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damagedFile(
      file,
      `it is not JSON (${oneLine(error instanceof Error ? error.message : String(error))})`,
      error,
    );
  }
  if (version !== undefined) rejectNewer(value, file, version);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  throw damagedFile(file, `it is not ${what} (${path === '' ? '' : `${path}: `}${oneLine(issue?.message ?? '')})`);
}

/** Parsers quote their input, which may be large or contain control characters. */
function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, 120);
}
