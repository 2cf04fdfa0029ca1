import * as tf from '@tensorflow/tfjs';
import { row, type Shape, type StockCase } from './stock-case.js';

type Padding = 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
type Filter = (x: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor;

/** A filter that is not finite meets the zeros of the padding on some backends, and skips them on others. */
const filtering = (operation: string, label: string, map: Shape, filter: Shape, run: Filter): StockCase => ({
  operation,
  label,
  inputs: [map, filter],
  finite: [1],
  run: ([x, w]) => run(x as tf.Tensor4D, w as tf.Tensor4D),
});

/** The operation and its two gradients, of images and of filters that are finite. */
function withGradients(operation: string, label: string, map: Shape, filter: Shape, run: Filter): StockCase[] {
  const gradient = (which: 0 | 1, x: tf.Tensor, w: tf.Tensor) => {
    const gradients = tf.grads((image, weights) =>
      tf.sum(tf.square(run(image as tf.Tensor4D, weights as tf.Tensor4D))),
    );
    return gradients([x, w])[which] as tf.Tensor;
  };
  const finite = [0, 1];
  return [
    filtering(operation, label, map, filter, run),
    { ...filtering(`gradient of ${operation}`, label, map, filter, (x, w) => gradient(0, x, w)), finite },
    { ...filtering(`filter gradient of ${operation}`, label, map, filter, (x, w) => gradient(1, x, w)), finite },
  ];
}

const paddings: readonly (readonly [string, Padding])[] = [
  ['same', 'same'],
  ['valid', 'valid'],
  ['padding 1', 1],
  [
    'unequal padding',
    [
      [0, 0],
      [1, 0],
      [0, 2],
      [0, 0],
    ],
  ],
];

const images: Shape = [2, 7, 9, 3];

const convolutions: StockCase[] = ([1, 2] as const).flatMap((stride) =>
  paddings.flatMap(([label, pad]) => [
    ...([1, 3] as const).flatMap((size) =>
      withGradients('conv2d', `of ${size}, stride ${stride}, ${label}`, images, [size, size, 3, 5], (x, w) =>
        tf.conv2d(x, w, stride, pad),
      ),
    ),
    ...(typeof pad === 'object' ? [] : depthwise(stride, label, pad)),
  ]),
);

function depthwise(stride: number, label: string, pad: Exclude<Padding, object>): StockCase[] {
  return withGradients('depthwiseConv2d', `stride ${stride}, ${label}`, images, [3, 3, 3, 2], (x, w) =>
    tf.depthwiseConv2d(x, w, stride, pad),
  );
}

const poolings: StockCase[] = (
  [
    [2, 1, 2],
    [3, 2, 3],
    [1, 1, 1],
    [2, 2, 3],
    [3, 2, 1],
  ] as const
).map(([window, stride, padding]) =>
  row('maxPool', `of ${window} at stride ${stride}, padding ${padding}`, [[2, 3, 5, 7]], (x) =>
    tf.maxPool(x as tf.Tensor4D, window, stride, padding),
  ),
);

type Pool = typeof tf.avgPool | typeof tf.maxPool;

const poolingGradients: StockCase[] = paddings.flatMap(([label, pad]) =>
  (
    [
      ['avgPool', tf.avgPool],
      ['maxPool', tf.maxPool],
    ] as const
  ).flatMap(([name, pool]: readonly [string, Pool]) => {
    const run = (x: tf.Tensor) => pool(x as tf.Tensor4D, 3, 2, pad as number);
    const gradient = (x: tf.Tensor) => tf.grad((maps) => tf.sum(tf.square(run(maps))))(x);
    const geometry = `of 3 at stride 2 on 7×5, ${label}`;
    return [row(name, geometry, [[2, 7, 5, 3]], run), row(`gradient of ${name}`, geometry, [[2, 7, 5, 3]], gradient)];
  }),
);

export const windowCases: readonly StockCase[] = [
  ...convolutions,
  ...poolings,
  ...poolingGradients,
  filtering('conv2d', 'dilated', [2, 9, 9, 3], [3, 3, 3, 5], (x, w) => tf.conv2d(x, w, 1, 'valid', 'NHWC', 2)),
  filtering('conv2d', 'dilated, padding 2', [2, 9, 9, 3], [3, 3, 3, 5], (x, w) => tf.conv2d(x, w, 1, 2, 'NHWC', 2)),
  filtering('fused conv2d', 'padding 1', images, [3, 3, 3, 5], (x, w) =>
    tf.fused.conv2d({ x, filter: w, strides: 2, pad: 1, activation: 'relu' }),
  ),
  filtering('conv2dTranspose', 'stride 2', [2, 4, 5, 3], [3, 3, 6, 3], (x, w) =>
    tf.conv2dTranspose(x, w, [2, 7, 9, 6], 2, 'same'),
  ),
];
