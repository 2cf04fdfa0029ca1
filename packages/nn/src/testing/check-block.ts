import {
  at,
  type Block,
  type Cotangents,
  evaluationMode,
  type Mode,
  type Pass,
  recomputeMode,
  trainingMode,
  type Want,
} from '@localgrad/core';
import { registerTrainingKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { costOf } from '../cost/cost-of.js';
import { vjpPeakOf } from '../cost/vjp-peaks.js';
import { createRandom, type Random } from '../random/random.js';
import { LiveBytes } from './live-bytes.js';

/** The block's function in ordinary ops; receives the values of `block.parameters` in order. */
export type ReferenceFunction = (x: tf.Tensor4D, parameters: readonly tf.Tensor[]) => tf.Tensor4D;

export function randomTensor(shape: readonly number[], random: Random, scale = 1): tf.Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = Float32Array.from({ length: size }, () => scale * random.normal());
  return tf.tensor(values, [...shape]);
}

/** Perturbs every weight, because scales of one and shifts of zero hide errors. */
export function perturb(block: Pick<Block, 'parameters'>, random: Random): void {
  for (const parameter of block.parameters) {
    const noise = randomTensor(parameter.shape, random, 0.3);
    parameter.assign(tf.add(parameter.value, noise));
    noise.dispose();
  }
}

/** Largest absolute difference, relative to the largest entry of `wanted`. */
export function relativeError(found: tf.Tensor, wanted: tf.Tensor): number {
  expect(found.shape).toEqual(wanted.shape);
  const a = found.dataSync();
  const b = wanted.dataSync();
  let difference = 0;
  let largest = 1e-6;
  for (let index = 0; index < b.length; index++) {
    difference = Math.max(difference, Math.abs((a[index] as number) - (b[index] as number)));
    largest = Math.max(largest, Math.abs(b[index] as number));
  }
  return difference / largest;
}

export interface CheckOptions {
  readonly batch?: number;
  readonly seed?: number;
  readonly tapeTolerance?: number;
  readonly differenceTolerance?: number;
}

/**
 * Checks a block's forward pass and VJP against the tape and finite differences, for every combination of requested
 * results, two VJPs of one pass, evaluation mode, and tensor leaks.
 */
export function checkBlock(block: Block, reference: ReferenceFunction, options: CheckOptions = {}): void {
  const { batch = 3, seed = 1, tapeTolerance = 2e-5, differenceTolerance = 2e-2 } = options;
  const random = createRandom(seed, 'check');
  perturb(block, random);
  const x = randomTensor([batch, ...block.inputShape], random) as tf.Tensor4D;
  const dy = randomTensor([batch, ...block.outputShape], random) as tf.Tensor4D;
  const before = tf.memory().numTensors;
  const values = () => block.parameters.map((parameter) => parameter.value);

  const pass = block.forward(x, trainingMode);
  const expectedOutput = tf.tidy(() => reference(x, values()));
  expect(relativeError(pass.output, expectedOutput)).toBeLessThan(tapeTolerance);
  expectedOutput.dispose();

  const tape = tf.grads((input: tf.Tensor, ...parameters: tf.Tensor[]) => reference(input as tf.Tensor4D, parameters))(
    [x, ...values()],
    dy,
  );
  const wants: Want[] = [
    { input: true, parameters: false, release: false },
    { input: false, parameters: true, release: false },
    { input: true, parameters: true, release: false },
    { input: true, parameters: true, release: true },
  ];
  for (const want of wants) {
    const { input, parameters } = block.vjp(pass, copy(dy), want);
    expect(input !== undefined).toBe(want.input);
    if (input !== undefined) expect(relativeError(input, tape[0] as tf.Tensor)).toBeLessThan(tapeTolerance);
    expect([...parameters.keys()]).toHaveLength(want.parameters ? block.parameters.length : 0);
    block.parameters.forEach((parameter, index) => {
      const gradient = parameters.get(parameter);
      if (gradient === undefined) return;
      expect(relativeError(gradient, tape[index + 1] as tf.Tensor), parameter.name).toBeLessThan(tapeTolerance);
    });
    input?.dispose();
    tf.dispose([...parameters.values()]);
  }
  // After the release only the output is left, and releasing again has no effect.
  pass.release();
  pass.output.dispose();
  expect(() => block.vjp(pass, dy, at(wants, 0, 'want'))).toThrow(/released/);

  checkDirections(block, x, dy, tape, random, differenceTolerance);
  tf.dispose(tape);
  checkReleases(block, x, dy);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose([x, dy]);
}

/** Central differences along one random direction of the input and of each parameter. */
function checkDirections(
  block: Block,
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  gradients: readonly tf.Tensor[],
  random: Random,
  tolerance: number,
): void {
  const objective = (input: tf.Tensor4D): number => {
    const pass = block.forward(input, recomputeMode);
    const a = pass.output.dataSync();
    const b = dy.dataSync();
    let sum = 0;
    for (let index = 0; index < a.length; index++) sum += (a[index] as number) * (b[index] as number);
    pass.release();
    pass.output.dispose();
    return sum;
  };
  const compare = (direction: tf.Tensor, gradient: tf.Tensor, shifted: (amount: number) => number, what: string) => {
    // A step may cross the kink of a ReLU; shorter steps cross fewer kinks, but are lost in float32 rounding.
    const differences = [1e-3, 2.5e-4, 6e-5].map((step) => (shifted(step) - shifted(-step)) / (2 * step));
    const wanted = tf.tidy(() => tf.sum(tf.mul(direction, gradient)).dataSync()[0] as number);
    const size = tf.tidy(() => tf.norm(gradient).dataSync()[0] as number);
    const error = Math.min(...differences.map((found) => Math.abs(found - wanted)));
    expect(error, `${what}: ${differences} for ${wanted}`).toBeLessThan(tolerance * Math.max(size, 1));
    direction.dispose();
  };
  const direction = randomTensor(x.shape, random);
  compare(
    direction,
    gradients[0] as tf.Tensor,
    (amount) => {
      const moved = tf.tidy(() => tf.add(x, tf.mul(direction, amount)) as tf.Tensor4D);
      const value = objective(moved);
      moved.dispose();
      return value;
    },
    'input',
  );
  block.parameters.forEach((parameter, index) => {
    const way = randomTensor(parameter.shape, random);
    compare(
      way,
      gradients[index + 1] as tf.Tensor,
      (amount) => {
        const start = copy(parameter.value);
        parameter.assign(tf.tidy(() => tf.add(start, tf.mul(way, amount))));
        const value = objective(x);
        parameter.assign(start);
        return value;
      },
      parameter.name,
    );
  });
}

/**
 * Only the output remains after a pass released without a VJP, a VJP without requested results, and evaluation mode.
 */
function checkReleases(block: Block, x: tf.Tensor4D, dy: tf.Tensor4D): void {
  const before = tf.memory().numTensors;
  const dropped = block.forward(x, trainingMode);
  dropped.release();
  dropped.release();
  dropped.output.dispose();
  expect(tf.memory().numTensors).toBe(before);

  const wanted = block.forward(x, trainingMode);
  expect(block.vjp(wanted, copy(dy), { input: false, parameters: false, release: true }).parameters.size).toBe(0);
  wanted.output.dispose();
  expect(tf.memory().numTensors).toBe(before);

  const evaluated = block.forward(x, evaluationMode);
  expect(tf.memory().numTensors).toBe(before + 1);
  evaluated.release();
  expect(evaluated.output.isDisposed).toBe(false);
  evaluated.output.dispose();
  expect(() => block.vjp(evaluated, dy, { input: true, parameters: true, release: true })).toThrow(/training/);
}

/** Copies a tensor into its own buffer. */
export function copy<T extends tf.Tensor>(tensor: T): T {
  return tf.tensor(tensor.dataSync().slice(), tensor.shape) as T;
}

/**
 * Compares a block's predicted bytes with measured ones, for kernels without temporaries. `tolerance` is relative to
 * input + output + residuals; small per-channel vectors are below it.
 */
export function checkCost(block: Block, batch = 4, tolerance = 0.02, mode: Mode = recomputeMode): void {
  const random = createRandom(3, 'cost');
  const x = randomTensor([batch, ...block.inputShape], random) as tf.Tensor4D;
  const meter = new LiveBytes();
  const unregister = registerTrainingKernels(meter.withoutTemporaries(stockKernels));
  try {
    for (const input of [true, false]) {
      for (const parameters of [true, false]) {
        for (const release of [true, false]) {
          const forward = meter.peakOf(() => block.forward(x, { ...mode, statisticsUpdates: 0 }));
          const pass = forward.result;
          const unit = tolerance * Math.max(forward.settled, x.size * 4);
          const outputBytes = 4 * pass.output.size;
          const cost = costOf(block);
          expect(near(forward.peak, cost.forwardPeakBytes(batch)), 'forward').toBeLessThan(unit);
          const aliased = forward.settled === 0 ? outputBytes : 0;
          expect(near(forward.settled + aliased, outputBytes + cost.residualBytes(batch)), 'residuals').toBeLessThan(
            unit,
          );
          const want = { input, parameters, release };
          checkVjpPeak(block, pass, want, meter, unit);
          pass.release();
          pass.output.dispose();
          const again = block.forward(x, { ...mode, statisticsUpdates: 0 });
          checkSharedVjpPeak(block, again, want, meter, unit);
          again.release();
          again.output.dispose();
        }
      }
    }
  } finally {
    meter.stop();
    unregister();
    x.dispose();
  }
}

/** The peak of a VJP whose cotangent nothing else holds. */
function checkVjpPeak(block: Block, pass: Pass, want: Want, meter: LiveBytes, unit: number): void {
  const dy = cotangentOf(pass);
  const { peak, result } = meter.peakOf(() => block.vjp(pass, dy, want));
  const predicted = vjpPeakOf(block, dy.shape[0], want, false);
  if (want.input || want.parameters) {
    expect(near(peak, predicted), JSON.stringify({ want, peak, predicted })).toBeLessThan(unit);
  }
  disposeCotangents(result);
}

/** The peak of a VJP whose cotangent remains: exact if the block declares it, else an upper bound. */
function checkSharedVjpPeak(block: Block, pass: Pass, want: Want, meter: LiveBytes, unit: number): void {
  const dy = cotangentOf(pass);
  const remaining = dy.clone();
  const { peak, result } = meter.peakOf(() => block.vjp(pass, dy, want));
  const predicted = vjpPeakOf(block, dy.shape[0], want, true);
  if (want.input || want.parameters) {
    const what = JSON.stringify({ want, shared: true, peak, predicted });
    expect(predicted - peak, what).toBeGreaterThan(-unit);
    if (costOf(block).sharedVjpPeakBytes !== undefined) expect(predicted - peak, what).toBeLessThan(unit);
  }
  remaining.dispose();
  disposeCotangents(result);
}

function cotangentOf({ output: { shape } }: Pass): tf.Tensor4D {
  return randomTensor(shape, createRandom(4, 'cost')) as tf.Tensor4D;
}

function disposeCotangents({ input, parameters }: Cotangents): void {
  input?.dispose();
  tf.dispose([...parameters.values()]);
}

function near(found: number, predicted: number): number {
  return Math.abs(found - predicted);
}
