import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noise } from '../kernels/kernels.fixture.js';
import { useVariants } from '../kernels/variants.fixture.js';
import type { WasmTrainingKernels } from '../kernels/wasm-training-kernels.js';

const variants = useVariants();
const shape: [number, number, number, number] = [4, 8, 8, 8];
const size = 4 * 8 * 8 * 8;
const geometry = { stride: 1, padding: 1 };

/** Two numbers choose operands among the live tensors. */
type Step = readonly [name: keyof typeof actions, first: number, second: number];

/** The state of a sequence: live tensors of one shape, a filter, and all values that were read. */
class Run {
  readonly live: tf.Tensor4D[] = [];
  readonly read: Float32Array[] = [];
  filter = tf.tensor4d(noise(9 * 64, 3), [3, 3, 8, 8]);
  readonly slow = tf.tensor4d(noise(8 * 32 * 32 * 16, 4), [8, 32, 32, 16]);
  readonly slowFilter = tf.tensor4d(noise(9 * 256, 5), [3, 3, 16, 16]);

  constructor(readonly kernels: WasmTrainingKernels) {
    this.live.push(tf.tensor4d(noise(size, 1), shape), tf.tensor4d(noise(size, 2), shape));
  }

  at(index: number): tf.Tensor4D {
    return this.live[index % this.live.length] as tf.Tensor4D;
  }

  take(index: number): tf.Tensor4D {
    return this.live.splice(index % this.live.length, 1)[0] as tf.Tensor4D;
  }

  /** At least two tensors stay. */
  get canTake(): boolean {
    return this.live.length > 2;
  }

  end(): Float32Array[] {
    for (const tensor of this.live) this.read.push(tensor.dataSync<'float32'>());
    this.read.push(this.filter.dataSync<'float32'>());
    tf.dispose([this.live, this.filter, this.slow, this.slowFilter]);
    return this.read;
  }
}

/** What a program does with tensors: on the heap itself, by operations of the backend, and by kernels. */
const actions = {
  /** Keeps the threads busy. */
  slow: ({ kernels, slow, slowFilter }: Run) => kernels.conv2d(slow, slowFilter, geometry).dispose(),
  upload: (run: Run, seed: number) => void run.live.push(tf.tensor4d(noise(size, seed), shape)),
  uploadInfinite: (run: Run, seed: number) => {
    run.live.push(tf.tensor4d(noise(size, seed).fill(Number.POSITIVE_INFINITY, 7, 8), shape));
  },
  read: (run: Run, index: number) => void run.read.push(run.at(index).dataSync<'float32'>()),
  dispose: (run: Run, index: number) => {
    if (run.canTake) run.take(index).dispose();
  },
  share: (run: Run, index: number) => void run.live.push(run.at(index).clone()),
  add: (run: Run, one: number, other: number) => void run.live.push(tf.add(run.at(one), run.at(other))),
  fill: (run: Run) => void run.live.push(tf.fill(shape, 0.5)),
  reverse: (run: Run, index: number) => void run.live.push(tf.reverse(run.at(index), 2)),
  convolve: (run: Run, index: number) => {
    run.live.push(run.kernels.conv2d(run.at(index), run.filter, geometry));
  },
  accumulate: (run: Run, one: number, other: number) => {
    if (run.canTake) run.live.push(run.kernels.accumulate(run.take(one), run.at(other)));
  },
  inPlace: (run: Run, index: number) => {
    if (!run.canTake) return;
    run.live.push(run.kernels.conv2dInputGradientInPlace?.(run.take(index), run.filter, geometry) as tf.Tensor4D);
  },
  normalize: (run: Run, one: number, other: number) => {
    const { kernels } = run;
    const [x, residual] = [run.at(one), run.at(other)];
    const { mean, variance } = kernels.batchStatistics(x);
    const normalization = {
      mean,
      variance,
      epsilon: 1e-5,
      scale: tf.ones<tf.Rank.R1>([8]),
      shift: tf.zeros<tf.Rank.R1>([8]),
    };
    run.live.push(kernels.batchNormApply(x, normalization, residual, true));
    tf.dispose([mean, variance, normalization.scale, normalization.shift]);
  },
  normalizeGroups: (run: Run, one: number, other: number) => {
    const { kernels } = run;
    const [scale, shift] = [tf.fill<tf.Rank.R1>([8], 0.5), tf.zeros<tf.Rank.R1>([8])];
    const parameters = { groups: 2, epsilon: 1e-5, scale, shift };
    const { output, ...statistics } = kernels.groupNorm(run.at(one), parameters);
    const gradient = kernels.groupNormGradient({ dy: run.at(other).clone(), x: run.at(one), statistics, parameters });
    run.live.push(output, gradient.dx);
    run.read.push(gradient.dScale.dataSync<'float32'>());
    tf.dispose([scale, shift, statistics.mean, statistics.variance, gradient.dScale, gradient.dShift]);
  },
  update: (run: Run, one: number, other: number) => {
    const { kernels, filter } = run;
    const gradient = kernels.conv2dFilterGradient(run.at(one), run.at(other), [3, 3, 8, 8], geometry);
    const settings = { learningRate: 1e-4, momentum: 0, nesterov: false, weightDecay: 0 };
    const [update] = kernels.sgdUpdateAll([{ value: filter, gradient, velocity: undefined, ...settings }]);
    run.filter = update?.value as tf.Tensor4D;
    if (run.filter !== filter) filter.dispose();
  },
};

function runAll(kernels: WasmTrainingKernels, steps: readonly Step[]): Float32Array[] {
  const run = new Run(kernels);
  for (const [name, first, second] of steps) actions[name](run, first, second);
  return run.end();
}

describe('calls of kernels that have not run yet', () => {
  it('are waited for by all that reads or writes the heap, so that values are those of one thread', () => {
    const { one, three, heap } = variants();
    const names = Object.keys(actions) as (keyof typeof actions)[];
    const step = fc.tuple(fc.constantFrom(...names), fc.nat(20), fc.nat(20));
    const before = [tf.memory().numTensors, heap.usedBytes()];
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        expect(runAll(three, steps)).toEqual(runAll(one, steps));
        expect([tf.memory().numTensors, heap.usedBytes()]).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });
});
