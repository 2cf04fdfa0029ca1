import { at } from '@localgrad/core';
import { currentKernels, type Shape4, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import type { CsvRecord } from './csv.js';
import { type Spread, spreadOf } from './measure.js';
import { type BenchmarkReport, measureOn } from './measure-on.js';
import { type MeasuredBackend, relaxedSimdColumn } from './measured-backend.js';
import { createProgress } from './progress.js';
import { stopIfAsked, type Terminal } from './terminal.js';

export interface BenchKernelsOptions extends MeasuredBackend {
  readonly batch: number;
  readonly repeats: number;
}

export interface KernelRow {
  readonly kernel: string;
  readonly shape: string;
  readonly milliseconds: Spread;
  /** 10⁹ floating-point operations per second; null if they are not counted. */
  readonly gigaflops: number | null;
  /** Median time relative to stock TensorFlow.js on the same backend; null if that lacks the kernel. */
  readonly relativeToStock: number | null;
}

export interface BenchKernelsReport extends BenchmarkReport<BenchKernelsOptions, KernelRow> {
  /** Name of the training kernels. */
  readonly kernels: string;
}

interface KernelTask {
  readonly kernel: string;
  readonly shape: string;
  readonly operations: number | null;
  /** Tensors that the kernel consumes; copied before the clock starts. */
  readonly consumed?: readonly tf.Tensor4D[];
  /** Runs once and returns the results to dispose; reading the first one shows that the kernel has finished. */
  run(kernels: TrainingKernels, copies: readonly tf.Tensor4D[]): tf.Tensor[];
}

/** Compares training kernels at the shapes of ResNet-32 on 32×32 images with stock TensorFlow.js on the same backend. */
export async function benchKernels(options: BenchKernelsOptions, terminal: Terminal): Promise<BenchKernelsReport> {
  let kernels = stockKernels;
  const report = await measureOn(options, async () => {
    kernels = currentKernels();
    const tasks = kernelTasks(options.batch);
    const progress = createProgress(terminal, tasks.length);
    const rows: KernelRow[] = [];
    for (const task of tasks) {
      rows.push(await measureTask(task, kernels, options.repeats, terminal.signal));
      progress.done(`${task.kernel} ${task.shape}`);
    }
    progress.end();
    return rows;
  });
  return { ...report, kernels: kernels.name };
}

async function measureTask(
  task: KernelTask,
  own: TrainingKernels,
  repeats: number,
  signal: AbortSignal | undefined,
): Promise<KernelRow> {
  const ownTimes: number[] = [];
  const stockTimes: number[] = [];
  const canStock = own !== stockKernels && (await works(task, stockKernels));
  for (let repeat = 0; repeat <= repeats; repeat++) {
    await stopIfAsked(signal);
    const mine = await timed(task, own);
    const theirs = canStock ? await timed(task, stockKernels) : Number.NaN;
    // The first run compiles shaders and fills pools.
    if (repeat === 0) continue;
    ownTimes.push(mine);
    stockTimes.push(theirs);
  }
  const milliseconds = spreadOf(ownTimes);
  const relative = milliseconds.median / spreadOf(stockTimes).median;
  const { kernel, shape, operations } = task;
  return {
    kernel,
    shape,
    milliseconds,
    gigaflops: operations === null ? null : operations / milliseconds.median / 1e6,
    relativeToStock: Number.isFinite(relative) ? relative : null,
  };
}

async function timed(task: KernelTask, kernels: TrainingKernels): Promise<number> {
  const copies = (task.consumed ?? []).map((tensor) => tf.tidy(() => tf.add<tf.Tensor4D>(tensor, 0)));
  for (const copy of copies) await finished(copy);
  const start = performance.now();
  const results = task.run(kernels, copies);
  await finished(at(results, 0, 'result'));
  const milliseconds = performance.now() - start;
  tf.dispose(results);
  return milliseconds;
}

/** Waits until a tensor is computed. Reads one value of large tensors only, since the read is not to be timed. */
async function finished(tensor: tf.Tensor): Promise<void> {
  if (tensor.size <= 1024) {
    await tensor.data();
    return;
  }
  const probe = tf.tidy(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
  await probe.data();
  probe.dispose();
}

/** Whether kernels support a task: native TensorFlow.js, for example, has no convolution with numeric padding. */
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
  const values = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, () => random.normal());
  const draw = (shape: Shape4) => tf.tensor4d(values(shape), [...shape]);
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
    const inputShape: Shape4 = [batch, size, size, from];
    const filterShape: Shape4 = [kernel, kernel, from, to];
    const x = draw(inputShape);
    const filter = draw(filterShape);
    const dy = draw([batch, size / stride, size / stride, to]);
    const shape = `${size}×${size}, ${from} to ${to}, ${kernel}×${kernel}${stride === 1 ? '' : `, stride ${stride}`}`;
    const operations = 2 * kernel * kernel * from * to * batch * (size / stride) ** 2;
    return [
      { kernel: 'conv2d', shape, operations, run: (kernels) => [kernels.conv2d(x, filter, geometry)] },
      {
        kernel: 'conv2dInputGradient',
        shape,
        operations,
        run: (kernels) => [kernels.conv2dInputGradient(dy, filter, inputShape, geometry)],
      },
      {
        kernel: 'conv2dFilterGradient',
        shape,
        operations,
        run: (kernels) => [kernels.conv2dFilterGradient(x, dy, filterShape, geometry)],
      },
    ];
  });
  const others = [
    { size: 32, channels: 16 },
    { size: 8, channels: 64 },
  ].flatMap(({ size, channels }): KernelTask[] => {
    const x = draw([batch, size, size, channels]);
    const vector = () => tf.tensor1d(values([channels]));
    const variance = tf.ones<tf.Rank.R1>([channels]);
    const normalization = { mean: vector(), variance, epsilon: 1e-5, scale: vector(), shift: vector() };
    const shape = `${size}×${size}×${channels}`;
    const operations = null;
    return [
      {
        kernel: 'batchStatistics',
        shape,
        operations,
        run: (kernels) => Object.values(kernels.batchStatistics(x)),
      },
      {
        kernel: 'batchNormApply, residual, ReLU',
        shape,
        operations,
        run: (kernels) => [kernels.batchNormApply(x, normalization, x, true)],
      },
      {
        kernel: 'batchNormGradient, ReLU',
        shape,
        operations,
        consumed: [x],
        run: (kernels, copies) => {
          const dy = at(copies, 0, 'copy');
          const request = { x, normalization, overwriteInput: false, wantMasked: false };
          return Object.values(kernels.batchNormGradient({ ...request, dy, mask: 'recompute' }));
        },
      },
    ];
  });
  const weight = draw([3, 3, 64, 64]);
  const rates = { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 };
  const update: KernelTask = {
    kernel: 'sgdUpdateAll',
    shape: '3×3×64×64',
    operations: null,
    consumed: [weight, weight],
    run: (kernels, copies) => {
      const [gradient, velocity] = [at(copies, 0, 'copy'), at(copies, 1, 'copy')];
      return kernels
        .sgdUpdateAll([{ value: weight, gradient, velocity, ...rates }])
        .flatMap((result) => (result.velocity === undefined ? [result.value] : [result.value, result.velocity]));
    },
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
