import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWasm, type WasmRuntime } from '../runtime/start.js';

function wave(shape: number[], phase = 1): tf.Tensor {
  return tf.tensor(
    Array.from({ length: tf.util.sizeFromShape(shape) }, (_, index) => 5 * Math.sin(1.7 * index + phase)),
    shape,
  );
}

/** Distinct negative numbers, so that every window has one maximum. */
function below(shape: number[]): tf.Tensor {
  const size = tf.util.sizeFromShape(shape);
  return tf.tensor(
    Array.from({ length: size }, (_, index) => -1 - ((index * 37) % 401)),
    shape,
  );
}

const integers = (shape: number[], phase?: number) => tf.cast(wave(shape, phase), 'int32');

interface Row {
  readonly title: string;
  readonly run: () => tf.Tensor;
}

type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const shapePairs = [
  [[], [12]],
  [[12], []],
  [[2, 3, 4], [4]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[0, 3], [3]],
  [[3, 1], [0]],
] as const;

const pairs: Row[] = shapePairs.flatMap(([a, b]) => [
  ...Object.entries<Binary>({ floorDiv: tf.floorDiv, mod: tf.mod, pow: tf.pow }).map(([name, run]) => ({
    title: `${name} of int32 [${a}] and [${b}]`,
    run: () => run(integers([...a]), integers([...b], 2)),
  })),
  { title: `prelu of [${a}] by [${b}]`, run: () => tf.prelu(wave([...a]), wave([...b], 2)) },
  {
    title: `atan2 of bool [${a}] and [${b}]`,
    run: () => tf.atan2(tf.cast(integers([...a]), 'bool'), tf.cast(integers([...b], 2), 'bool')),
  },
]);

const functions: Row[] = Object.entries({
  acos: tf.acos,
  acosh: tf.acosh,
  asin: tf.asin,
  asinh: tf.asinh,
  atan: tf.atan,
  atanh: tf.atanh,
  sinh: tf.sinh,
  sign: tf.sign,
}).flatMap(([name, run]) => [
  { title: `${name} of int32`, run: () => run(integers([7])) },
  { title: `${name} of bool`, run: () => run(tf.cast(integers([7]), 'bool')) },
]);

const activations = ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'prelu', 'leakyrelu'] as const;
const products: Row[] = activations.flatMap((activation) =>
  [
    [[2, 3], [3, 4], false, 4],
    [[2, 3], [3, 4], false, 1],
    [[2, 3], [4, 3], true, 4],
    [[2, 2, 3], [2, 3, 4], false, 4],
  ].map(([a, b, transposeB, bias]) => ({
    title: `fused matMul with ${activation} of [${a}] and [${b}], bias [${bias}]`,
    run: () =>
      tf.fused.matMul({
        a: wave(a as number[]),
        b: wave(b as number[], 2),
        transposeB: transposeB as boolean,
        bias: wave([bias as number], 3),
        activation,
        ...(activation === 'prelu' ? { preluActivationWeights: wave([4], 4) } : {}),
        leakyreluAlpha: 0.3,
      }),
  })),
);

const batched: Row[] = (
  [
    [[2, 3], [3, 4], false, false],
    [[5, 2, 3], [5, 4, 3], false, true],
    [[2, 20, 3, 2], [2, 20, 3, 4], true, false],
    [[3, 2], [7, 4, 3], true, true],
    [[1, 1, 2, 3], [4, 3, 5], false, false],
    [[0, 2, 3], [0, 3, 4], false, false],
    [[2, 2, 0], [2, 0, 4], false, false],
  ] as const
).map(([a, b, transposeA, transposeB]) => ({
  title: `matMul of [${a}] and [${b}], transposed: ${transposeA}, ${transposeB}`,
  run: () => tf.matMul(wave([...a]), wave([...b], 2), transposeA, transposeB),
}));

type Pair = [number, number];
const oblong: readonly (readonly [Pair, Pair])[] = [
  [
    [3, 1],
    [2, 2],
  ],
  [
    [3, 1],
    [1, 2],
  ],
  [
    [1, 2],
    [1, 3],
  ],
  [
    [3, 2],
    [2, 1],
  ],
];
/** Layers have options that functions have not, such as dilations of null. */
function throughLayer(x: tf.Tensor, kernelSize: [number, number], strides: [number, number]): tf.Tensor {
  const layer = tf.layers.depthwiseConv2d({ kernelSize, strides, padding: 'same', depthwiseInitializer: 'ones' });
  const output = layer.apply(x) as tf.Tensor;
  layer.dispose();
  return output;
}
const convolutions: Row[] = oblong.flatMap(([window, stride]) => {
  const title = `window [${window}], stride [${stride}]`;
  const x = () => wave([2, 7, 6, 3]) as tf.Tensor4D;
  const filter = (last: number) => wave([...window, 3, last], 2) as tf.Tensor4D;
  const ofWeights = (weights: tf.Tensor) => tf.conv2d(x(), weights as tf.Tensor4D, stride, 'same');
  const common = { x: x(), strides: stride, pad: 'same', activation: 'relu' } as const;
  return [
    { title: `conv2d, ${title}`, run: () => tf.conv2d(x(), filter(4), stride, 'same') },
    { title: `filter gradient of conv2d, ${title}`, run: () => tf.grad(ofWeights)(filter(4)) },
    { title: `depthwiseConv2d, ${title}`, run: () => tf.depthwiseConv2d(x(), filter(2), stride, 'same') },
    {
      title: `depthwiseConv2d of a layer, ${title}`,
      run: () => throughLayer(x(), window, stride),
    },
    { title: `fused conv2d, ${title}`, run: () => tf.fused.conv2d({ ...common, x: x(), filter: filter(4) }) },
    {
      title: `fused depthwiseConv2d, ${title}`,
      run: () => tf.fused.depthwiseConv2d({ ...common, x: x(), filter: filter(2) }),
    },
  ];
});

const windows: Row[] = (['same', 'valid'] as const).flatMap((pad) =>
  ([1, 2] as const).flatMap((stride) => {
    const pool = (x: tf.Tensor) => tf.maxPool3d(x as tf.Tensor5D, [1, 3, 2], stride, pad);
    const filter = () => wave([3, 2, 3], 2) as tf.Tensor3D;
    return [
      { title: `maxPool3d below zero, ${pad}, stride ${stride}`, run: () => pool(below([2, 5, 4, 5, 2])) },
      {
        title: `dilation2d below zero, ${pad}, stride ${stride}`,
        run: () => tf.dilation2d(below([2, 7, 6, 3]) as tf.Tensor4D, filter(), stride, pad),
      },
    ];
  }),
);

const others: Row[] = [
  { title: 'sign of tiny numbers', run: () => tf.sign(tf.tensor1d([1e-30, -1e-30, 0, Number.NaN])) },
  {
    title: 'unsortedSegmentSum of nothing',
    run: () => tf.unsortedSegmentSum(tf.zeros([0, 2]), tf.tensor1d([], 'int32'), 3),
  },
  {
    title: 'filter gradient of an empty batch',
    run: () =>
      tf.grad((filter) => tf.conv2d(tf.zeros([0, 5, 5, 2]) as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same'))(
        wave([3, 3, 2, 4]),
      ),
  },
];

const rows = [...pairs, ...functions, ...products, ...batched, ...convolutions, ...windows, ...others];

function outcome({ run }: Row) {
  const result = tf.tidy(run);
  const numbers = Array.from(result.dataSync(), Number);
  const { shape, dtype } = result;
  result.dispose();
  return { shape, dtype, numbers };
}

describe('kernels in place of wrong ones of the wasm backend', () => {
  let runtime: WasmRuntime;
  let expected: ReturnType<typeof outcome>[];
  beforeAll(async () => {
    await tf.setBackend('cpu');
    expected = rows.map(outcome);
    runtime = await startWasm({ threads: 1, relaxedSimd: false });
  });
  afterAll(() => runtime.dispose());

  it('equal the cpu backend, and leave no tensors', () => {
    const before = tf.memory().numTensors;
    const found = rows.map((row, index) => {
      const result = outcome(row);
      const wanted = expected[index]?.numbers ?? [];
      const isClose = (value: number, at: number) =>
        Math.abs(value - (wanted[at] ?? 0)) <= 1e-5 * Math.max(1, Math.abs(value));
      return {
        ...result,
        numbers: result.numbers.map((value, at) => (isClose(value, at) ? (wanted[at] as number) : value)),
      };
    });
    const titled = (results: typeof found) =>
      Object.fromEntries(rows.map(({ title }, index) => [title, results[index]]));
    expect(titled(found)).toEqual(titled(expected));
    expect(tf.memory().numTensors).toBe(before);
  });

  const numbersOf = (run: () => tf.Tensor) => {
    const result = tf.tidy(run);
    const numbers = [...result.dataSync()];
    result.dispose();
    return numbers;
  };

  // The cpu backend returns 0 and 1 for scalars, and nothing for negative axes; PyTorch these.
  it('scan scalars, and along negative axes', () => {
    expect(numbersOf(() => tf.cumsum(tf.scalar(3)))).toEqual([3]);
    expect(numbersOf(() => tf.cumprod(tf.scalar(3)))).toEqual([3]);
    expect(numbersOf(() => tf.cumsum(tf.scalar(3), 0, true))).toEqual([0]);
    expect(numbersOf(() => tf.cumprod(tf.scalar(3), 0, true))).toEqual([1]);
    const x = () => tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expect(numbersOf(() => tf.cumsum(x(), -1))).toEqual([1, 3, 3, 7]);
    expect(numbersOf(() => tf.cumprod(x(), -2))).toEqual([1, 2, 3, 8]);
  });

  // The cpu backend's own gradient differs from PyTorch's, which this equals.
  it('send the gradient of maxPool3d to the maximum of each window', () => {
    const [depth, height, width, channels] = [5, 4, 5, 2] as const;
    const x = below([1, depth, height, width, channels]);
    const values = x.dataSync();
    const wanted = new Float32Array(values.length);
    for (let place = 0; place < 2 * 1 * 2 * channels; place++) {
      const [channel, right, front] = [
        place % channels,
        2 * (Math.floor(place / channels) % 2),
        2 * Math.floor(place / 4),
      ];
      const window = [0, 1, 2].flatMap((d) =>
        [0, 1, 2].flatMap((h) =>
          [0, 1].map((w) => (((front + d) * height + h) * width + right + w) * channels + channel),
        ),
      );
      const largest = window.reduce((best, at) => ((values[at] ?? 0) > (values[best] ?? 0) ? at : best));
      wanted[largest] = (wanted[largest] ?? 0) + 1;
    }
    const found = tf.tidy(() => tf.grad((input) => tf.maxPool3d(input as tf.Tensor5D, [3, 3, 2], 2, 'valid'))(x));
    expect([...found.dataSync()]).toEqual([...wanted]);
    tf.dispose([x, found]);
  });

  // The other backends size the output as if the window were square.
  it('pad both sides of oblong convolutions by a number', () => {
    const x = () => tf.ones([1, 4, 4, 1]) as tf.Tensor4D;
    const filter = () => tf.ones([3, 1, 1, 1]) as tf.Tensor4D;
    const result = tf.tidy(() => tf.conv2d(x(), filter(), 1, 1));
    expect(result.shape).toEqual([1, 4, 6, 1]);
    expect([...result.dataSync()].slice(0, 12)).toEqual([0, 2, 2, 2, 2, 0, 0, 3, 3, 3, 3, 0]);
    result.dispose();
  });

  it('reject what they would compute wrong', () => {
    const volume = () => wave([1, 3, 3, 3, 2]) as tf.Tensor5D;
    const conv3d = (x: tf.Tensor) => tf.conv3d(x as tf.Tensor5D, wave([2, 2, 2, 2, 3], 2) as tf.Tensor5D, 1, 'same');
    expect(() => tf.tidy(() => tf.grad(conv3d)(volume()))).toThrow(
      /The gradient of conv3d is wrong in the wasm backend/,
    );
    const dilation = (x: tf.Tensor) => tf.dilation2d(x as tf.Tensor4D, wave([2, 2, 3], 2) as tf.Tensor3D, 1, 'same');
    expect(() => tf.tidy(() => tf.grad(dilation)(wave([1, 4, 4, 3])))).toThrow(/gradient of dilation2d is wrong/);
    const ones = () => tf.ones([3]) as tf.Tensor1D;
    expect(() => tf.tidy(() => tf.batchNorm(integers([2, 3]), ones(), ones()))).toThrow(
      'Batch norm on wasm requires float32, but received int32. Cast the tensor first.',
    );
    const transposed = () =>
      tf.conv2dTranspose(
        integers([1, 3, 3, 2]) as tf.Tensor4D,
        integers([2, 2, 1, 2]) as tf.Tensor4D,
        [1, 3, 3, 1],
        1,
        'same',
      );
    expect(() => tf.tidy(transposed)).toThrow('The transposed convolution on wasm requires float32');
  });
});
