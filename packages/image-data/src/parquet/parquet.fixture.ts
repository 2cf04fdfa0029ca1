/** An encoded field of Thrift's compact protocol. */
interface Field {
  readonly id: number;
  readonly type: number;
  readonly bytes: readonly number[];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

const integer = (id: number, value: number, type = 5): Field => ({
  id,
  type,
  bytes: varint(value < 0 ? -2 * value - 1 : 2 * value),
});
const long = (id: number, value: number): Field => integer(id, value, 6);
const binary = (id: number, text: string): Field => {
  const bytes = [...new TextEncoder().encode(text)];
  return { id, type: 8, bytes: [...varint(bytes.length), ...bytes] };
};
const list = (id: number, type: number, items: readonly (readonly number[])[], size = items.length): Field => ({
  id,
  type: 9,
  bytes: [...(size < 15 ? [16 * size + type] : [240 + type, ...varint(size)]), ...items.flat()],
});
const struct = (...fields: readonly Field[]): number[] => {
  let before = 0;
  return [
    ...fields.flatMap(({ id, type, bytes }) => {
      const head = 16 * (id - before) + type;
      before = id;
      return [head, ...bytes];
    }),
    0,
  ];
};
const within = (id: number, ...fields: readonly Field[]): Field => ({ id, type: 12, bytes: struct(...fields) });

/** What a file declares; the default is what it contains. */
export interface Declared {
  readonly rows?: number;
  readonly pageValues?: number;
  readonly pageBytes?: number;
  readonly rowGroups?: number;
  /** Levels of columns around the image. */
  readonly nesting?: number;
  readonly children?: number;
  /** Number of entries of the list of row groups, whatever it contains. */
  readonly listSize?: number;
  readonly footerBytes?: number;
  /** 0: none; 1: Snappy; 2: gzip; 4: Brotli; 6: Zstandard. */
  readonly codec?: number;
  /** Content of both pages, compressed. */
  readonly content?: Uint8Array;
  /** Encoding of both pages. */
  readonly encoding?: number;
  /** Makes the columns optional; their pages begin with a run of that many values that are present. */
  readonly levelRun?: number;
  /** Repetition of the columns: 0 required, 1 optional, 2 repeated. */
  readonly repetition?: number;
}

/** Definition levels: their length, then one run. */
function levelsOf({ levelRun }: Declared): number[] {
  if (levelRun === undefined) return [];
  const run = [...varint(2 * levelRun), 1];
  return [run.length, 0, 0, 0, ...run];
}

/** A Parquet file with two images of four bytes and their labels, which may declare anything. */
export function writeParquet(declared: Declared = {}): Uint8Array {
  const rows = declared.rows ?? 2;
  const page = (plain: readonly number[]) => {
    const content = [...levelsOf(declared), ...(declared.content ?? plain)];
    return [
      ...struct(
        integer(1, 0),
        integer(2, declared.pageBytes ?? content.length),
        integer(3, content.length),
        within(
          5,
          integer(1, declared.pageValues ?? 2),
          integer(2, declared.encoding ?? 0),
          integer(3, 3),
          integer(4, 3),
        ),
      ),
      ...content,
    ];
  };
  const images = page([4, 0, 0, 0, 1, 2, 3, 4, 4, 0, 0, 0, 5, 6, 7, 8]);
  const labels = page([0, 0, 0, 0, 1, 0, 0, 0]);
  const magic = [...new TextEncoder().encode('PAR1')];
  const chunk = (name: string, type: number, offset: number, size: number) =>
    struct(
      long(2, offset),
      within(
        3,
        integer(1, type),
        list(2, 5, [[0]]),
        list(3, 8, [[...varint(name.length), ...new TextEncoder().encode(name)]]),
        integer(4, declared.codec ?? 0),
        long(5, rows),
        long(6, size),
        long(7, size),
        long(9, offset),
      ),
    );
  const group = struct(
    list(1, 12, [
      chunk('image', 6, magic.length, images.length),
      chunk('label', 1, magic.length + images.length, labels.length),
    ]),
    long(2, images.length + labels.length),
    long(3, rows),
  );
  const repetition = declared.repetition ?? (declared.levelRun === undefined ? 0 : 1);
  const column = (name: string, type: number) => struct(integer(1, type), integer(3, repetition), binary(4, name));
  const folder = (name: string, children: number) => struct(integer(3, 0), binary(4, name), integer(5, children));
  const nested = Array.from({ length: declared.nesting ?? 0 }, (_, level) => folder(`level${level}`, 1));
  const extra = nested.length === 0 ? [] : [...nested, column('leaf', 6)];
  const footer = struct(
    integer(1, 1),
    list(2, 12, [
      struct(binary(4, 'schema'), integer(5, declared.children ?? (extra.length === 0 ? 2 : 3))),
      column('image', 6),
      column('label', 1),
      ...extra,
    ]),
    long(3, rows),
    list(4, 12, Array<number[]>(declared.rowGroups ?? 1).fill(group), declared.listSize),
  );
  const length = new Uint8Array(Uint32Array.of(declared.footerBytes ?? footer.length).buffer);
  return Uint8Array.from([...magic, ...images, ...labels, ...footer, ...length, ...magic]);
}
