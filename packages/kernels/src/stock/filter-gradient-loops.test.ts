import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { normal } from '../testing/tensors.js';
import type { Shape4 } from '../training-kernels.js';
import { filterGradientByLoops } from './filter-gradient-loops.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const axis = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
const convolutions = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    channels: axis(5),
    size: axis(9),
    kernel: axis(4),
    stride: axis(3),
    padding: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
  })
  .filter(({ size, kernel, padding }) =>
    [0, 1].every((at) => (size[at] ?? 0) + 2 * (padding[at] ?? 0) >= (kernel[at] ?? 0)),
  );

describe('the gradient of a filter by loops', () => {
  it('has the bits of the stock kernel of the cpu backend', () => {
    fc.assert(
      fc.property(convolutions, ({ batch, channels, size, kernel, stride, padding }) => {
        const [vertical, horizontal] = padding;
        const filterShape: Shape4 = [...kernel, ...channels];
        const pad: tf.backend_util.ExplicitPadding = [
          [0, 0],
          [vertical, vertical],
          [horizontal, horizontal],
          [0, 0],
        ];
        tf.tidy(() => {
          const x = normal<tf.Rank.R4>([batch, ...size, channels[0]], 1);
          const dy = normal<tf.Rank.R4>(tf.conv2d(x, tf.ones<tf.Rank.R4>([...filterShape]), stride, pad).shape, 2);
          const attributes = { strides: stride, pad, dataFormat: 'NHWC', filterShape: [...filterShape] };
          const expected = tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes) as tf.Tensor4D;
          const found = filterGradientByLoops(x, dy, filterShape, { stride, padding });
          expect(found.shape).toEqual(expected.shape);
          expect(found.dataSync()).toEqual(expected.dataSync());
        });
      }),
    );
  });

  it('reads no padding, so that infinite numbers beside it do no harm', () => {
    const x = tf.tensor4d([Number.POSITIVE_INFINITY, 1, 2, -0], [1, 2, 2, 1]);
    const dy = tf.tensor4d([1, 0, -1, 2], [1, 2, 2, 1]);
    const found = filterGradientByLoops(x, dy, [3, 3, 1, 1], { stride: 1, padding: 1 });
    const attributes = { strides: [1, 1], pad: 1, dataFormat: 'NHWC', filterShape: [3, 3, 1, 1] };
    const expected = tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes) as tf.Tensor4D;
    expect(found.dataSync()).toEqual(expected.dataSync());
    expect([...found.dataSync()]).toContain(2);
  });
});
