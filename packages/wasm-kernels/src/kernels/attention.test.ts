import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { useVariants } from './variants.fixture.js';
import type { WasmTrainingKernels } from './wasm-training-kernels.js';

const [tokens, size, heads] = [11, 3, 2];
const width = size * heads;

function triplesWith(value: number, token: number, channel: number): tf.Tensor4D {
  const x = tf.randomNormal<tf.Rank.R4>([2, 1, tokens, 3 * width], 0, 1, 'float32', 1);
  const values = x.dataSync();
  values[token * 3 * width + channel] = value;
  return tf.tensor4d(values, x.shape);
}

/** By image and head, whether the results of each token are finite. */
function finite(y: tf.Tensor4D): boolean[][] {
  const values = y.dataSync();
  return [0, 1].flatMap((image) =>
    [0, 1].map((head) =>
      Array.from({ length: tokens }, (_, token) => {
        const start = (image * tokens + token) * width + head * size;
        return values.subarray(start, start + size).every(Number.isFinite);
      }),
    ),
  );
}

const [all, none] = [new Array(tokens).fill(true), new Array(tokens).fill(false)];

describe('attention', () => {
  const variants = useVariants();

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'with %s in a key or value loses its head of its image alone',
    (value) => {
      tf.tidy(() => {
        // Channels of the second head's keys and values.
        for (const channel of [width + size, 2 * width + size]) {
          const y = variants().one.attention?.(triplesWith(value, 4, channel), heads) as tf.Tensor4D;
          const [first, second, ...others] = finite(y);
          expect([first, ...others]).toEqual([all, all, all]);
          expect(second?.every(Boolean)).toBe(false);
        }
      });
    },
  );

  it('with NaN in a query loses its token alone', () => {
    tf.tidy(() => {
      const y = variants().one.attention?.(triplesWith(Number.NaN, 4, 0), heads) as tf.Tensor4D;
      expect(finite(y)).toEqual([all.with(4, false), all, all, all]);
    });
  });

  it('with NaN in the cotangent or the input loses the gradient of its head alone', () => {
    tf.tidy(() => {
      const x = triplesWith(0.5, 4, 0);
      const dy = tf.ones<tf.Rank.R4>([2, 1, tokens, width]);
      const values = dy.dataSync();
      values[0] = Number.NaN;
      const dx = variants().one.attentionGradient?.(tf.tensor4d(values, dy.shape), x, heads) as tf.Tensor4D;
      const parts = tf.split(dx, 3, 3) as tf.Tensor4D[];
      for (const part of parts.slice(1)) expect(finite(part)).toEqual([none, all, all, all]);
      expect(finite(parts[0] as tf.Tensor4D)).toEqual([all.with(0, false), all, all, all]);
    });
  });

  it('yields the same bits on any number of threads, with its gradient', () => {
    tf.tidy(() => {
      const x = tf.randomNormal<tf.Rank.R4>([5, 1, 140, 48], 0, 1, 'float32', 1);
      const dy = tf.randomNormal<tf.Rank.R4>([5, 1, 140, 16], 0, 1, 'float32', 2);
      const run = ({ attention, attentionGradient }: WasmTrainingKernels) => [
        Float32Array.from(attention?.(x, 2).dataSync() ?? []),
        Float32Array.from(attentionGradient?.(tf.clone(dy), x, 2).dataSync() ?? []),
      ];
      const { one, three, fusedOne, fusedThree } = variants();
      expect(run(three)).toEqual(run(one));
      expect(run(fusedThree)).toEqual(run(fusedOne));
    });
  });
});
