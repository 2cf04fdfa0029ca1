import { currentKernels, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import { createRandom } from '@localgrad/nn/random';
import { type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';
import * as tf from '@tensorflow/tfjs';
import type { CsvRecord } from './csv.js';
import { type Spread, spreadOf } from './measure.js';
import { type MeasuredBackend, relaxedSimdColumn, startMeasuredBackend, usesRelaxedSimd } from './measured-backend.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';

export interface BenchKernelsOptions extends MeasuredBackend {
  readonly batch: number;
  readonly repeats: number;
}

export interface KernelRow {
  readonly kernel: string;
  readonly shape: string;
  readonly milliseconds: Spread;
  /** 10⁹ floating-point operations a second, where the operation has a count. */
  readonly gigaflops: number | null;
  /** Median time over that of stock TensorFlow.js on the same backend; null where stock cannot do it there. */
  readonly relativeToStock: number | null;
}

export interface BenchKernelsReport {
  readonly environment: MeasurementEnvironment;
  readonly device: string;
  readonly backend: string;
  /** Null if the backend has no such choice. */
  readonly relaxedSimd: boolean | null;
  readonly kernels: string;
  readonly options: BenchKernelsOptions;
  readonly rows: readonly KernelRow[];
}

interface KernelTask {
  readonly kernel: string;
  readonly shape: string;
  readonly operations: number | null;
  /** What the kernel consumes: copied before the clock starts. */
  readonly consumed?: readonly tf.Tensor[];
  /** Runs once and returns what has to be disposed; the first is read to know when it is done. */
  run(kernels: TrainingKernels, copies: readonly tf.Tensor[]): tf.Tensor[];
}

/** Training kernels at the shapes of ResNet-32 on 32×32 images, against stock TensorFlow.js on the same backend. */
export async function benchKernels(options: BenchKernelsOptions, terminal: Terminal): Promise<BenchKernelsReport> {
  const backend = await startMeasuredBackend(options);
  try {
    const tasks = kernelTasks(options.batch);
    const progress = createProgress(terminal, tasks.length);
    const own = currentKernels();
    const rows: KernelRow[] = [];
    for (const task of tasks) {
      terminal.signal?.throwIfAborted();
      const times = { own: [] as number[], stock: [] as number[] };
      const canStock = own !== stockKernels && (await works(task, stockKernels));
      for (let repeat = 0; repeat <= options.repeats; repeat++) {
        const mine = await timed(task, own);
        const theirs = canStock ? await timed(task, stockKernels) : Number.NaN;
        // The first run compiles shaders and fills pools.
        if (repeat > 0) times.own.push(mine);
        if (repeat > 0) times.stock.push(theirs);
      }
      const milliseconds = spreadOf(times.own);
      const relative = milliseconds.median / spreadOf(times.stock).median;
      const { kernel, shape, operations } = task;
      const gigaflops = operations === null ? null : operations / milliseconds.median / 1e6;
      rows.push({
        kernel,
        shape,
        milliseconds,
        gigaflops,
        relativeToStock: Number.isFinite(relative) ? relative : null,
      });
      progress.done(`${kernel} ${shape}`);
    }
    progress.end();
    const environment = await measurementEnvironment();
    const relaxedSimd = usesRelaxedSimd(backend);
    const { device, name } = backend;
    return { environment, device, backend: name, relaxedSimd, kernels: own.name, options, rows };
  } finally {
    backend.dispose();
  }
}

async function timed(task: KernelTask, kernels: TrainingKernels): Promise<number> {
  const copies = (task.consumed ?? []).map((tensor) => tf.tidy(() => tf.add(tensor, 0)));
  for (const copy of copies) await finished(copy);
  const start = performance.now();
  const results = task.run(kernels, copies);
  await finished(results[0] as tf.Tensor);
  const milliseconds = performance.now() - start;
  tf.dispose(results);
  return milliseconds;
}

/** Waits for what is queued. Of large results one number is read: reading is not what is timed. */
async function finished(tensor: tf.Tensor): Promise<void> {
  if (tensor.size <= 1024) {
    await tensor.data();
    return;
  }
  const probe = tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
  await probe.data();
  probe.dispose();
}

/** Native TensorFlow.js, for one, has no convolution with numbers for padding. */
async function works(task: KernelTask, kernels: TrainingKernels): Promise<boolean> {
  try {
    await timed(task, kernels);
    return true;
  } catch {
    return false;
  }
}

function kernelTasks(batch: number): KernelTask[] {
  const random = createRandom(1);
  const draw = (shape: readonly number[]) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return tf.tensor(
      Float32Array.from({ length: size }, () => random.normal()),
      [...shape],
    );
  };
  const layers = [
    { size: 32, from: 3, to: 16, kernel: 3, stride: 1 },
    { size: 32, from: 16, to: 16, kernel: 3, stride: 1 },
    { size: 32, from: 16, to: 32, kernel: 3, stride: 2 },
    { size: 32, from: 16, to: 32, kernel: 1, stride: 2 },
    { size: 16, from: 32, to: 32, kernel: 3, stride: 1 },
    { size: 8, from: 64, to: 64, kernel: 3, stride: 1 },
  ];
  const convolutions = layers.flatMap(({ size, from, to, kernel, stride }): KernelTask[] => {
    const geometry = { stride, padding: (kernel - 1) / 2 };
    const inputShape = [batch, size, size, from] as const;
    const filterShape = [kernel, kernel, from, to] as const;
    const x = draw(inputShape) as tf.Tensor4D;
    const filter = draw(filterShape) as tf.Tensor4D;
    const dy = draw([batch, size / stride, size / stride, to]) as tf.Tensor4D;
    const shape = `${size}×${size}, ${from} to ${to}, ${kernel}×${kernel}${stride === 1 ? '' : `, stride ${stride}`}`;
    const operations = 2 * kernel * kernel * from * to * batch * (size / stride) ** 2;
    return [
      { kernel: 'conv2d', shape, operations, run: (kernels) => [kernels.conv2d(x, filter, geometry)] },
      {
        ...{ kernel: 'conv2dInputGradient', shape, operations },
        run: (kernels) => [kernels.conv2dInputGradient(dy, filter, inputShape, geometry)],
      },
      {
        ...{ kernel: 'conv2dFilterGradient', shape, operations },
        run: (kernels) => [kernels.conv2dFilterGradient(x, dy, filterShape, geometry)],
      },
    ];
  });
  const others = [
    { size: 32, channels: 16 },
    { size: 8, channels: 64 },
  ].flatMap(({ size, channels }): KernelTask[] => {
    const x = draw([batch, size, size, channels]) as tf.Tensor4D;
    const vector = () => draw([channels]) as tf.Tensor1D;
    const variance = tf.ones([channels]) as tf.Tensor1D;
    const normalization = { mean: vector(), variance, epsilon: 1e-5, scale: vector(), shift: vector() };
    const shape = `${size}×${size}×${channels}`;
    const operations = null;
    return [
      {
        ...{ kernel: 'batchStatistics', shape, operations },
        run: (kernels) => Object.values(kernels.batchStatistics(x)),
      },
      {
        ...{ kernel: 'batchNormApply, residual, ReLU', shape, operations },
        run: (kernels) => [kernels.batchNormApply(x, normalization, x, true)],
      },
      {
        ...{ kernel: 'batchNormGradient, ReLU', shape, operations, consumed: [x] },
        run: (kernels, [dy]) => {
          const request = { x, normalization, overwriteInput: false, wantMasked: false };
          return Object.values(kernels.batchNormGradient({ ...request, dy: dy as tf.Tensor4D, mask: 'recompute' }));
        },
      },
    ];
  });
  const weight = draw([3, 3, 64, 64]);
  const rates = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
  const update: KernelTask = {
    ...{ kernel: 'sgdUpdate', shape: '3×3×64×64', operations: null, consumed: [weight, weight] },
    run: (kernels, [gradient, velocity]) =>
      Object.values(kernels.sgdUpdate({ value: weight, gradient: gradient as tf.Tensor, velocity, ...rates })),
  };
  return [...convolutions, ...others, update];
}

export function kernelRecords({ rows, options, backend, relaxedSimd, kernels }: BenchKernelsReport): CsvRecord[] {
  return rows.map((row) => ({
    kernel: row.kernel,
    shape: row.shape,
    backend,
    ...relaxedSimdColumn(relaxedSimd),
    kernels,
    batch: options.batch,
    milliseconds: row.milliseconds.median.toFixed(4),
    milliseconds_min: row.milliseconds.min.toFixed(4),
    milliseconds_max: row.milliseconds.max.toFixed(4),
    gigaflops: row.gigaflops?.toFixed(2) ?? null,
    time_relative_to_stock: row.relativeToStock?.toFixed(4) ?? null,
  }));
}
