import { LocalgradError } from '@localgrad/core';
import type { AsyncBuffer, ColumnMetaData, FileMetaData } from 'hyparquet';
import { readThrift, type ThriftStruct, type ThriftValue } from './thrift.js';

/** Bytes that the pages of a file may expand to, besides a multiple of the file's size; photos hardly compress any further. */
const freeBytes = 64 * 2 ** 20;
const largestFactor = 100;
const deepestSchema = 32;

/** Checks the footer before it becomes objects. @throws LocalgradError `invalid-data` without the path */
export async function checkFooter(file: AsyncBuffer): Promise<void> {
  const end = new DataView(await file.slice(Math.max(0, file.byteLength - 8), file.byteLength));
  if (end.byteLength < 8 || end.getUint32(4, true) !== 0x31524150) throw invalid('no PAR1 at its end');
  const length = end.getUint32(0, true);
  const start = file.byteLength - 8 - length;
  if (start < 0) throw invalid(`a footer of ${length} bytes in a file of ${file.byteLength} bytes`);
  readThrift(new Uint8Array(await file.slice(start, file.byteLength - 8)));
}

/**
 * Checks what a file declares against its size, so that reading it takes memory in proportion: rows, the bytes of each row
 * group, which no other may use again, and the sizes and counts of the pages.
 *
 * @param columns names of the columns that will be read
 * @throws LocalgradError `invalid-data` without the path
 */
export async function checkContent(
  file: AsyncBuffer,
  metadata: FileMetaData,
  columns: readonly string[],
): Promise<void> {
  checkSchema(metadata);
  const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + countOf('rows', num_rows), 0);
  if (rows > file.byteLength) throw invalid(`${rows} rows in ${file.byteLength} bytes`);
  const budget = { left: freeBytes + largestFactor * file.byteLength };
  let end = 0;
  const chunks = metadata.row_groups.flatMap(({ columns: all, num_rows }) =>
    all.flatMap(({ meta_data: data }) =>
      data !== undefined && columns.includes(data.path_in_schema[0] ?? '')
        ? [{ ...rangeOf(file, data), rows: Number(num_rows) }]
        : [],
    ),
  );
  for (const chunk of chunks.sort((one, other) => one.start - other.start)) {
    if (chunk.start < end) throw invalid('row groups or columns that share bytes');
    end = chunk.end;
    checkPages(new Uint8Array(await file.slice(chunk.start, chunk.end)), chunk.rows, budget);
  }
}

function checkSchema({ schema }: FileMetaData): void {
  const open: number[] = [];
  for (const { num_children: children = 0 } of schema) {
    while (open.at(-1) === 0) open.pop();
    const left = open.pop();
    if (left !== undefined) open.push(left - 1);
    if (children > schema.length) throw invalid(`a column of ${children} columns in a schema of ${schema.length}`);
    open.push(children);
    if (open.length > deepestSchema) throw invalid(`columns nested in more than ${deepestSchema} levels`);
  }
}

function rangeOf(file: AsyncBuffer, data: ColumnMetaData): { readonly start: number; readonly end: number } {
  const start = countOf('bytes before a column', data.dictionary_page_offset || data.data_page_offset);
  const end = start + countOf('bytes of a column', data.total_compressed_size);
  if (end > file.byteLength) throw invalid(`a column that ends at byte ${end} of ${file.byteLength}`);
  return { start, end };
}

function checkPages(chunk: Uint8Array, rows: number, budget: { left: number }): void {
  for (let at = 0; at < chunk.length - 1; ) {
    const { struct, length } = readThrift(chunk.subarray(at));
    const [expanded, compressed] = [numberIn(struct, 2), numberIn(struct, 3)];
    at += length + compressed;
    budget.left -= expanded;
    if (budget.left < 0) throw invalid(`pages that expand to more than ${largestFactor} times the size of the file`);
    const values = Math.max(...[5, 7, 8].map((kind) => numberIn(structIn(struct, kind), 1)));
    const most = structIn(struct, 7) === undefined ? rows : expanded;
    if (values > most) throw invalid(`a page of ${values} values in a row group of ${rows} rows`);
  }
}

function numberIn(struct: ThriftStruct | undefined, field: number): number {
  const value = struct?.get(field) ?? 0;
  return countOf('values or bytes of a page', typeof value === 'number' ? value : Number.NaN);
}

function structIn(struct: ThriftStruct, field: number): ThriftStruct | undefined {
  const value: ThriftValue | undefined = struct.get(field);
  return value instanceof Map ? value : undefined;
}

function countOf(what: string, value: number | bigint): number {
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < 0) throw invalid(`${count} as the number of ${what}`);
  return count;
}

const invalid = (found: string) => new LocalgradError('invalid-data', found);
