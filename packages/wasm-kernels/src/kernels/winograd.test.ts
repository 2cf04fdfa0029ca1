import type { Shape4, TrainingKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';
import { type TileSide, winogradSide } from './winograd.js';

interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly padding: number;
  readonly seed: number;
}

const channels = fc.constantFrom(8, 16, 24);
const problems = (side: TileSide): fc.Arbitrary<Problem> =>
  fc
    .record({
      batch: fc.integer({ min: 1, max: 6 }),
      height: fc.integer({ min: 3, max: 13 }),
      width: fc.integer({ min: 3, max: 13 }),
      inChannels: channels,
      outChannels: channels,
      padding: fc.integer({ min: 0, max: 2 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    })
    .filter((problem) => winogradSide(sizesOf(problem)) === side);

function sizesOf(problem: Problem) {
  const { inputShape, outputShape } = shapesOf(problem);
  const paddings = { paddingHeight: problem.padding, paddingWidth: problem.padding };
  return { inputShape, outputShape, kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1, ...paddings };
}

function shapesOf(problem: Problem): { inputShape: Shape4; outputShape: Shape4; filterShape: Shape4 } {
  const { batch, height, width, inChannels, outChannels, padding } = problem;
  return {
    inputShape: [batch, height, width, inChannels],
    outputShape: [batch, height + 2 * padding - 2, width + 2 * padding - 2, outChannels],
    filterShape: [3, 3, inChannels, outChannels],
  };
}

let runtime: WasmRuntime | undefined;
afterEach(() => {
  runtime?.dispose();
  runtime = undefined;
});

async function start(threads: number, relaxedSimd: boolean): Promise<TrainingKernels> {
  runtime = await startWasm({ threads, relaxedSimd });
  return runtime.kernels;
}

const normal = (shape: Shape4, seed: number) => tf.randomNormal([...shape], 0, 1, 'float32', seed) as tf.Tensor4D;

/** Calls `term` for each product of a convolution, with the offsets of its image, filter and output values. */
function forEachTerm(problem: Problem, term: (image: number, filter: number, output: number) => void): void {
  const { inputShape, outputShape } = shapesOf(problem);
  const [batch, height, width, inChannels] = inputShape;
  const [, outHeight, outWidth, outChannels] = outputShape;
  for (let output = 0; output < batch * outHeight * outWidth; output++) {
    const ow = output % outWidth;
    const oh = Math.floor(output / outWidth) % outHeight;
    const n = Math.floor(output / outWidth / outHeight);
    for (let tap = 0; tap < 9; tap++) {
      const ih = oh + Math.floor(tap / 3) - problem.padding;
      const iw = ow + (tap % 3) - problem.padding;
      if (ih < 0 || ih >= height || iw < 0 || iw >= width) continue;
      for (let ci = 0; ci < inChannels; ci++) {
        const image = ((n * height + ih) * width + iw) * inChannels + ci;
        for (let co = 0; co < outChannels; co++) {
          term(image, (tap * inChannels + ci) * outChannels + co, output * outChannels + co);
        }
      }
    }
  }
}

/** y, dx and dw in float64, by their definitions. */
function reference(problem: Problem, x: ArrayLike<number>, w: ArrayLike<number>, dy: ArrayLike<number>) {
  const [y, dx, dw] = [new Float64Array(dy.length), new Float64Array(x.length), new Float64Array(w.length)];
  forEachTerm(problem, (image, filter, output) => {
    y[output] = Number(y[output]) + Number(x[image]) * Number(w[filter]);
    dx[image] = Number(dx[image]) + Number(dy[output]) * Number(w[filter]);
    dw[filter] = Number(dw[filter]) + Number(x[image]) * Number(dy[output]);
  });
  return [y, dx, dw];
}

/** The largest difference, relative to the root mean square of what is expected. */
function relativeError(actual: ArrayLike<number>, expected: Float64Array): number {
  const scale = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return expected.reduce((most, value, index) => Math.max(most, Math.abs(Number(actual[index]) - value)), 0) / scale;
}

/** Values that are not finite; finite ones are compared elsewhere. */
const special = (value: number) => (Number.isFinite(value) ? 0 : value);

/** Larger tiles multiply by larger numbers, and subtract more. */
const tolerances = { 2: 1e-5, 4: 2e-5 };

describe.each([true, false])('convolutions in fewer multiplications; relaxed SIMD: %s', (relaxedSimd) => {
  it.each([
    [1, 2],
    [1, 4],
    [2, 2],
    [2, 4],
  ] as const)(
    'agree with float64 for any shape, with their gradients, on %s threads, in tiles of side %s',
    async (threads, side) => {
      const kernels = await start(threads, relaxedSimd);
      fc.assert(
        fc.property(problems(side), (problem) => {
          tf.tidy(() => {
            const { inputShape, outputShape, filterShape } = shapesOf(problem);
            const geometry = { stride: 1, padding: problem.padding };
            const x = normal(inputShape, problem.seed);
            const w = normal(filterShape, problem.seed + 1);
            const dy = normal(outputShape, problem.seed + 2);
            const expected = reference(problem, x.dataSync(), w.dataSync(), dy.dataSync());
            const actual = [
              kernels.conv2d(x, w, geometry),
              kernels.conv2dInputGradient(dy, w, inputShape, geometry),
              kernels.conv2dFilterGradient(x, dy, filterShape, geometry),
            ].map((tensor) => tensor.dataSync());
            for (const [index, values] of expected.entries()) {
              expect(relativeError(actual[index] ?? [], values)).toBeLessThan(tolerances[side]);
            }
          });
        }),
        { numRuns: 25 },
      );
    },
    60_000,
  );

  it.each([2, 4] as const)('show an infinite value where its own products reach, in tiles of side %s', async (side) => {
    const kernels = await start(1, relaxedSimd);
    const problem = {
      batch: side === 2 ? 1 : 8,
      height: 8,
      width: 8,
      inChannels: 8,
      outChannels: 8,
      padding: 1,
      seed: 3,
    };
    expect(winogradSide(sizesOf(problem))).toBe(side);
    const { inputShape, outputShape, filterShape } = shapesOf(problem);
    const values = (shape: Shape4, seed: number) => normal(shape, seed).dataSync<'float32'>();
    const [x, w, dy] = [values(inputShape, 1), values(filterShape, 2), values(outputShape, 3)];
    for (const infinite of [x, w, dy]) {
      const finite = infinite[100] ?? 0;
      infinite[100] = Number.NEGATIVE_INFINITY;
      const expected = reference(problem, x, w, dy);
      const [image, filter, cotangent] = [
        tf.tensor4d(x, [...inputShape]),
        tf.tensor4d(w, [...filterShape]),
        tf.tensor4d(dy, [...outputShape]),
      ];
      const actual = [
        kernels.conv2d(image, filter, { stride: 1, padding: 1 }),
        kernels.conv2dInputGradient(cotangent, filter, inputShape, { stride: 1, padding: 1 }),
        kernels.conv2dFilterGradient(image, cotangent, filterShape, { stride: 1, padding: 1 }),
      ].map((tensor) => tensor.dataSync());
      for (const [index, numbers] of expected.entries()) {
        expect([...(actual[index] ?? [])].map(special)).toEqual([...numbers].map(special));
      }
      infinite[100] = finite;
    }
  });
});

describe('winogradSide', () => {
  const problem = sizesOf({ batch: 64, height: 8, width: 8, inChannels: 16, outChannels: 16, padding: 1, seed: 0 });

  it('chooses large tiles for 3×3 filters at stride 1 whose channels fill vectors', () => {
    expect(winogradSide(problem)).toBe(4);
  });

  it.each([
    ['outputs that four large tiles cover less than half', { outputShape: [64, 6, 6, 16] as const }],
    ['few tiles, for which transforming the filter is most of the work', { inputShape: [1, 8, 8, 16] as const }],
    ['filters that would be too large when transformed', { inputShape: [64, 8, 8, 8192] as const }],
  ])('chooses small tiles for %s', (_, other) => {
    expect(winogradSide({ ...problem, ...other })).toBe(2);
  });

  it.each([
    ['another stride', { strideWidth: 2 }],
    ['another filter', { kernelHeight: 1, kernelWidth: 1, paddingHeight: 0, paddingWidth: 0 }],
    ['images with three channels', { inputShape: [64, 8, 8, 3] as const }],
    ['ten output channels', { outputShape: [64, 8, 8, 10] as const }],
    [
      'one output pixel, of the four of a tile',
      { inputShape: [64, 3, 3, 16], outputShape: [64, 1, 1, 16], paddingHeight: 0, paddingWidth: 0 } as const,
    ],
  ])('leaves %s to the direct kernels', (_, other) => {
    expect(winogradSide({ ...problem, ...other })).toBeUndefined();
  });
});
