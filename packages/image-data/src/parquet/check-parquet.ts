import type { AsyncBuffer, ColumnMetaData, FileMetaData } from 'hyparquet';
import { invalid } from './invalid.js';
import { checkPageContent, countIn, countOf, type Leaf, structIn } from './page-content.js';
import { readThrift } from './thrift.js';

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
 * group, which no other may use again, the sizes and counts of the pages, and the runs in them.
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
        ? [{ ...rangeOf(file, data), rows: Number(num_rows), leaf: leafOf(metadata, data) }]
        : [],
    ),
  );
  for (const chunk of chunks.sort((one, other) => one.start - other.start)) {
    if (chunk.start < end) throw invalid('row groups or columns that share bytes');
    end = chunk.end;
    checkPages(new Uint8Array(await file.slice(chunk.start, chunk.end)), chunk, budget);
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

/** @throws LocalgradError `invalid-data` for a column of lists, or one that the schema does not have */
function leafOf({ schema }: FileMetaData, { codec, path_in_schema: path }: ColumnMetaData): Leaf {
  let at = 0;
  let levels = 0;
  for (const name of path) {
    let left = schema[at]?.num_children ?? 0;
    for (at++; left > 0 && schema[at]?.name !== name; left--) at = afterColumn(schema, at);
    if (left === 0) throw invalid(`a column '${path.join('.')}' that its schema does not have`);
    const repetition = schema[at]?.repetition_type;
    if (repetition === 'REPEATED') throw invalid(`a column '${path.join('.')}' of lists`);
    if (repetition === 'OPTIONAL') levels++;
  }
  return { codec, levels };
}

/** Place after a column and those in it. */
function afterColumn(schema: FileMetaData['schema'], at: number): number {
  let next = at + 1;
  for (let left = schema[at]?.num_children ?? 0; left > 0 && next < schema.length; left--) {
    next = afterColumn(schema, next);
  }
  return next;
}

interface Chunk {
  readonly rows: number;
  readonly leaf: Leaf;
}

function checkPages(bytes: Uint8Array, { rows, leaf }: Chunk, budget: { left: number }): void {
  for (let at = 0; at < bytes.length - 1; ) {
    const { struct, length } = readThrift(bytes.subarray(at));
    const [expanded, compressed] = [countIn(struct, 2), countIn(struct, 3)];
    const start = at + length;
    at = start + compressed;
    budget.left -= expanded;
    if (budget.left < 0) throw invalid(`pages that expand to more than ${largestFactor} times the size of the file`);
    const values = Math.max(...[5, 7, 8].map((kind) => countIn(structIn(struct, kind), 1)));
    const most = structIn(struct, 7) === undefined ? rows : expanded;
    if (values > most) throw invalid(`a page of ${values} values in a row group of ${rows} rows`);
    checkPageContent(struct, bytes.subarray(start, at), expanded, leaf);
  }
}
