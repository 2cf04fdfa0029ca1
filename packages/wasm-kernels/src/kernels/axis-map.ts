import type { AxisMap } from '@localgrad/kernels';
import type { Tensor3D } from '@tensorflow/tfjs';
import { type KernelContext, MINIMUM_FOR_THREADS, pieces } from './context.js';

/** The nonzero weights of a map, row by row. A row's weights are those from its first to its last nonzero one. */
interface Bands {
  readonly inputs: number;
  readonly outputs: number;
  /** For each output: its first input, the number of them, and the position of its first weight. */
  readonly rows: Int32Array;
  readonly weights: Float32Array;
}

const known = new WeakMap<AxisMap, Map<boolean, Bands>>();

/** Bilinear maps have two weights in a row of many, pooling has those of one bin. */
export function mapAxis(context: KernelContext, x: Tensor3D, map: AxisMap, transposed: boolean): Tensor3D {
  const { heap, pool, scratch, integers, floats } = context;
  const [outer, , inner] = x.shape;
  const { inputs, outputs, rows, weights } = bandsOf(map, transposed);
  const y = heap.allocate<Tensor3D>([outer, outputs, inner]);
  return scratch(4 * (rows.length + weights.length), (table) => {
    const [from, to, first] = [heap.pointer(x), heap.pointer(y), table + 4 * rows.length];
    integers(table, rows.length).set(rows);
    floats(first, weights.length).set(weights);
    const lines = pieces(outer * outputs, y.size < MINIMUM_FOR_THREADS ? 1 : 32);
    const sizes = [inputs, outputs, inner];
    pool.runEvenly('axisMap', lines, [from, to, table, first], sizes);
    return y;
  });
}

function bandsOf(map: AxisMap, transposed: boolean): Bands {
  const found = known.get(map) ?? new Map<boolean, Bands>();
  known.set(map, found);
  const bands = found.get(transposed) ?? findBands(transposed ? transpose(map) : map);
  found.set(transposed, bands);
  return bands;
}

function findBands(map: AxisMap): Bands {
  const rows: number[] = [];
  const weights: number[] = [];
  for (const line of map) {
    const first = line.findIndex((weight) => weight !== 0);
    const last = line.findLastIndex((weight) => weight !== 0);
    const band = first < 0 ? [] : line.slice(first, last + 1);
    rows.push(Math.max(0, first), band.length, weights.length);
    weights.push(...band);
  }
  const inputs = map[0]?.length ?? 0;
  return { inputs, outputs: map.length, rows: Int32Array.from(rows), weights: Float32Array.from(weights) };
}

function transpose(map: AxisMap): AxisMap {
  return (map[0] ?? []).map((_, input) => map.map((line) => line[input] ?? 0));
}
