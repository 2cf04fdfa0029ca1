// Blocks of matrices in the order in which a product reads them.

// Columns first … first + width − 1 of rows k … k + depth − 1 of b, in tiles of eight columns: packed[tile][row][8], zeros beyond the
// last column. b is [inner, columns], transposed [columns, inner]. Eight rows at a time: where rows are a power of two apart, more would
// displace each other from the first-level cache.
export function packColumns(
  b: usize, packed: usize, k: i32, depth: i32, first: i32, width: i32, inner: i32, columns: i32, isTransposed: i32,
): void {
  const tileBytes = (<usize>depth) << 5;
  if (width & 7) memory.fill(packed + tileBytes * (<usize>(width >> 3)), 0, tileBytes);
  if (isTransposed) {
    for (let column = 0; column < width; column += 8) {
      transpose(b + ((<usize>((first + column) * inner + k)) << 2), packed, min(8, width - column), depth, (<usize>inner) << 2, 32);
      packed += tileBytes;
    }
    return;
  }
  const step = (<usize>columns) << 2;
  const from = b + ((<usize>(k * columns + first)) << 2);
  for (let row = 0; row < depth; row += 8) {
    const rows = min(8, depth - row);
    let to = packed + ((<usize>row) << 5);
    for (let column = 0; column < width; column += 8) {
      copyTile(from + (<usize>row) * step + ((<usize>column) << 2), to, rows, min(8, width - column), step);
      to += tileBytes;
    }
  }
}

// A block of a transposed matrix, [depth, height] with rows `step` bytes apart, as [height, depth].
export function packRows(a: usize, packed: usize, height: i32, depth: i32, step: usize): void {
  transpose(a, packed, depth, height, step, (<usize>depth) << 2);
}

function copyTile(from: usize, to: usize, depth: i32, lanes: i32, step: usize): void {
  for (let row = 0; row < depth; row++) {
    if (lanes == 8) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
    } else {
      for (let lane = 0; lane < lanes; lane++) {
        const at = (<usize>lane) << 2;
        store<f32>(to + at, load<f32>(from + at));
      }
    }
    from += step;
    to += 32;
  }
}

// to[column, row] = from[row, column] for matrices with rows `step` and `toStep` bytes apart.
function transpose(from: usize, to: usize, rows: i32, columns: i32, step: usize, toStep: usize): void {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    let p = from + (<usize>row) * step;
    let q = to + ((<usize>row) << 2);
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      const v0 = v128.load(p), v1 = v128.load(p + step), v2 = v128.load(p + 2 * step), v3 = v128.load(p + 3 * step);
      const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(q, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(q + toStep, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      v128.store(q + 2 * toStep, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      v128.store(q + 3 * toStep, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
      p += 16;
      q += 4 * toStep;
    }
    transposeRest(p, q, 4, columns - column, step, toStep);
  }
  transposeRest(from + (<usize>row) * step, to + ((<usize>row) << 2), rows - row, columns, step, toStep);
}

function transposeRest(from: usize, to: usize, rows: i32, columns: i32, step: usize, toStep: usize): void {
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const value = load<f32>(from + (<usize>row) * step + ((<usize>column) << 2));
    store<f32>(to + (<usize>column) * toStep + ((<usize>row) << 2), value);
  }
}
