// Times how the WebGPU kernels of convolutions can divide their work among workgroups, for the layers of CIFAR ResNets:
//   node tune-kernels.js tilings.csv [--batches 128,1024] [--repeats 10] [--seconds 540] [--layers 7] [--candidates 1000]
//   node tune-kernels.js --choose tilings.csv    prints the fastest, for packages/webgpu-kernels/src/kernels/tuned-tilings.ts
// The table grows row by row, and the same command continues it. A result that differs from the default tiling's is an
// error of the candidate, which is then never chosen.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { selectBackend } from '@localgrad/backends';
import { currentKernels } from '@localgrad/kernels';
import { measurementEnvironment } from '@localgrad/runs';
import { defaultTiling, startWebGpu, type Tiling, type TilingChoice } from '@localgrad/webgpu-kernels';
import * as tf from '@tensorflow/tfjs';

/** Side and channels of the image, channels of the output, size of the filter, stride. */
type Layer = readonly [side: number, input: number, output: number, size: number, stride: number];

interface Product {
  readonly kernel: 'conv2d' | 'conv2dInputGradient' | 'conv2dFilterGradient';
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  run(): tf.Tensor[];
}

/** Layers of ResNet-32 and ResNet-110, the widest filters first: they differ in the number of repetitions only. */
const layers: readonly Layer[] = [
  [32, 16, 16, 3, 1],
  [16, 32, 32, 3, 1],
  [8, 64, 64, 3, 1],
  [32, 16, 32, 3, 2],
  [16, 32, 64, 3, 2],
  [32, 3, 16, 3, 1],
  [32, 16, 32, 1, 2],
];

const header =
  'kernel,rows,columns,depth,batch,tile_rows,tile_columns,tile_depth,vectors,workgroups,milliseconds,max_relative_error,device,architecture,localgrad,commit,date';
const tolerance = 1e-5;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    choose: { type: 'string' },
    batches: { type: 'string', default: '128,1024' },
    repeats: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '540' },
    layers: { type: 'string', default: String(layers.length) },
    candidates: { type: 'string', default: '1000' },
  },
});

interface Row {
  readonly choice: TilingChoice;
  readonly milliseconds: number;
  readonly error: number;
  readonly architecture: string;
}

function rowOf(line: string): Row {
  const fields = line.split(',');
  const number = (index: number) => Number(fields[index]);
  const tiling = {
    rows: number(5),
    columns: number(6),
    depth: number(7),
    vectors: fields[8] === 'yes',
    workgroups: number(9),
  };
  const choice = { kernel: fields[0] ?? '', rows: number(1), columns: number(2), depth: number(3), tiling };
  return { choice, milliseconds: number(10), error: number(11), architecture: fields[13] ?? '' };
}

function readTable(file: string): string[] {
  if (!existsSync(file)) return [];
  const [first, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  if (first !== header) throw new Error(`${file} is not a table of tilings; choose another file.`);
  return lines;
}

/** Prints the fastest tiling of each product. The default stays where no other is more than 3 % faster. */
function choose(file: string): void {
  const groups = new Map<string, Row[]>();
  for (const row of readTable(file).map(rowOf)) {
    const { kernel, rows, columns, depth } = row.choice;
    const key = [row.architecture, kernel, rows, columns, depth].join();
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const table: Record<string, TilingChoice[]> = {};
  for (const rows of groups.values()) {
    const right = rows.filter(({ error }) => error <= tolerance).sort((a, b) => a.milliseconds - b.milliseconds);
    const [best] = right;
    if (best === undefined) continue;
    const usual = right.find(({ choice: { columns, tiling } }) => isSame(tiling, defaultTiling(columns)));
    const isFaster = usual === undefined || best.milliseconds < 0.97 * usual.milliseconds;
    if (isFaster) table[best.architecture] = [...(table[best.architecture] ?? []), best.choice];
  }
  console.log(JSON.stringify(table, null, 2));
}

function isSame(one: Tiling, other: Tiling): boolean {
  return JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
}

/** The default first, which the others are compared with. */
function candidatesOf(product: Product, largestBytes: number): Tiling[] {
  const usual = defaultTiling(product.columns);
  const others: Tiling[] = [];
  for (const rows of [32, 64, 128])
    for (const columns of [16, 32, 64].filter((width) => width <= usual.columns))
      for (const depth of [8, 16, 32])
        for (const vectors of [false, true])
          for (const workgroups of product.kernel === 'conv2dFilterGradient' ? [128, 256, 512, 1024] : [256])
            others.push({ rows, columns, depth, vectors, workgroups });
  const fits = ({ rows, columns, depth }: Tiling) =>
    // The statistics of a convolution take a share of each invocation, and a mean of each column.
    4 * ((rows + columns) * depth + 4 * (rows + depth) + (rows / 4 + 1) * columns) <= largestBytes &&
    (rows / 4) * (columns / 4) <= 256;
  return [usual, ...others.filter((tiling) => fits(tiling) && !isSame(tiling, usual))];
}

function productsOf([side, input, output, size, stride]: Layer, batch: number): Product[] {
  const geometry = { stride, padding: (size - 1) / 2 };
  const outSide = side / stride;
  const kernels = currentKernels();
  const pixels = batch * outSide * outSide;
  const taps = size * size;
  const tensors = () => ({
    x: tf.randomNormal<tf.Rank.R4>([batch, side, side, input], 0, 1, 'float32', 1),
    dy: tf.randomNormal<tf.Rank.R4>([batch, outSide, outSide, output], 0, 1, 'float32', 2),
    filter: tf.randomNormal<tf.Rank.R4>([size, size, input, output], 0, 0.1, 'float32', 3),
  });
  const { x, dy, filter } = tensors();
  const forward: Product = {
    kernel: 'conv2d',
    rows: pixels,
    columns: output,
    depth: taps * input,
    run: () =>
      Object.values(kernels.conv2dStatistics?.(x, filter, geometry) ?? {}).filter((one) => one instanceof tf.Tensor),
  };
  const filterGradient: Product = {
    kernel: 'conv2dFilterGradient',
    rows: taps * input,
    columns: output,
    depth: pixels,
    run: () => [kernels.conv2dFilterGradient(x, dy, filter.shape, geometry)],
  };
  const inputGradient: Product = {
    kernel: 'conv2dInputGradient',
    rows: batch * side * side,
    columns: input,
    depth: taps * output,
    run: () => [kernels.conv2dInputGradient(dy, filter, x.shape, geometry)],
  };
  // The gradient of the images is never computed.
  return input === 3 ? [forward, filterGradient] : [forward, inputGradient, filterGradient];
}

async function valuesOf(tensors: readonly tf.Tensor[]): Promise<Float32Array[]> {
  const values = await Promise.all(tensors.map(async (tensor) => Float32Array.from(await tensor.data())));
  tf.dispose([...tensors]);
  return values;
}

/** Largest difference, relative to the largest value. */
function errorOf(found: readonly Float32Array[], expected: readonly Float32Array[]): number {
  const errors = expected.map((values, part) => {
    let [largest, difference] = [0, 0];
    for (let index = 0; index < values.length; index++) {
      const [one = 0, other = Number.NaN] = [values[index], found[part]?.[index]];
      largest = Math.max(largest, Math.abs(one));
      difference = Math.max(difference, Number.isNaN(other) ? Number.POSITIVE_INFINITY : Math.abs(one - other));
    }
    return difference / largest;
  });
  return Math.max(...errors);
}

/** Milliseconds of one run, from runs that are submitted together. */
async function timeOf(product: Product, repeats: number): Promise<number> {
  const start = performance.now();
  const results = Array.from({ length: repeats }, () => product.run());
  await results.at(-1)?.at(0)?.data();
  const milliseconds = (performance.now() - start) / repeats;
  tf.dispose(results.flat());
  return milliseconds;
}

async function tune(file: string): Promise<void> {
  const known = new Set(readTable(file).map((line) => line.split(',').slice(0, 10).join()));
  if (known.size === 0) appendFileSync(file, `${header}\n`);
  const backend = await selectBackend('webgpu');
  const runtime = await startWebGpu();
  const { localgrad, commit, date } = await measurementEnvironment();
  const provenance = [`"${backend.device}"`, runtime.facts.architecture, localgrad, commit ?? '', date].join();
  const end = performance.now() + 1000 * Number(flags.seconds);
  let measured = 0;
  for (const batch of flags.batches.split(',').map(Number)) {
    for (const layer of layers.slice(0, Number(flags.layers))) {
      tf.engine().startScope();
      for (const product of productsOf(layer, batch)) {
        const { kernel, rows, columns, depth } = product;
        const size = { kernel, rows, columns, depth };
        let expected: Float32Array[] | undefined;
        const candidates = candidatesOf(product, runtime.facts.maxComputeWorkgroupStorageSize);
        for (const tiling of candidates.slice(0, Number(flags.candidates))) {
          const place = [kernel, rows, columns, depth, batch];
          const parts = [tiling.rows, tiling.columns, tiling.depth, tiling.vectors ? 'yes' : 'no', tiling.workgroups];
          const key = [...place, ...parts].join();
          if (known.has(key)) continue;
          if (performance.now() > end) {
            console.log(`${measured} rows; time is up: run the same command again to continue.`);
            process.exit(0);
          }
          if (expected === undefined) {
            runtime.useTilings([]);
            expected = await valuesOf(product.run());
          }
          runtime.useTilings([{ ...size, tiling }]);
          const error = errorOf(await valuesOf(product.run()), expected);
          const milliseconds = await timeOf(product, Number(flags.repeats));
          appendFileSync(file, `${key},${milliseconds.toFixed(4)},${error.toExponential(1)},${provenance}\n`);
          measured++;
        }
      }
      tf.engine().endScope();
    }
  }
  console.log(`${measured} rows; ${file} is complete.`);
  process.exit(0);
}

const [file = 'tilings.csv'] = positionals;
if (flags.choose !== undefined) choose(flags.choose);
else await tune(file);
