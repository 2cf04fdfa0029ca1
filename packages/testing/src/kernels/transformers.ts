import * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';

/** Sizes that fill no tile, one that does, a single token, and more tokens than one block of queries. */
const attentions = [
  { batch: 3, tokens: 7, size: 4, heads: 2 },
  { batch: 2, tokens: 16, size: 8, heads: 1 },
  { batch: 4, tokens: 1, size: 3, heads: 3 },
  { batch: 1, tokens: 3, size: 1, heads: 5 },
  { batch: 21, tokens: 65, size: 16, heads: 4 },
  { batch: 2, tokens: 261, size: 9, heads: 2 },
] as const;

const kinds = ['normal', 'negative', 'zero', 'tied'] as const;

/** Attention and GELU; kernels without them are compared with the definition composed of stock operations. */
export const transformerCases: readonly KernelCase[] = [
  ...attentions.flatMap(({ batch, tokens, size, heads }, index) =>
    // In larger cases, no result would be finite.
    [...kinds, ...(index === 0 ? (['nonFinite'] as const) : [])].flatMap((kind): KernelCase[] => {
      const label = `${batch}×${tokens}×${size}, ${heads} heads, ${kind}`;
      const x = [batch, 1, tokens, 3 * heads * size];
      return [
        {
          kernel: 'attention',
          label,
          inputs: { x },
          values: { x: kind },
          run: (kernels, { x: triples }) => [
            kernels.attention?.(triples as tf.Tensor4D, heads) ?? attentionOf(triples as tf.Tensor4D, heads),
          ],
        },
        {
          kernel: 'attentionGradient',
          label,
          inputs: { dy: [batch, 1, tokens, heads * size], x },
          values: { x: kind },
          consumes: ['dy'],
          run: (kernels, { dy, x: triples }) => [
            kernels.attentionGradient?.(dy as tf.Tensor4D, triples as tf.Tensor4D, heads) ??
              gradientOf((input) => attentionOf(input, heads), dy as tf.Tensor4D, triples as tf.Tensor4D),
          ],
        },
      ];
    }),
  ),
  ...[...kinds, 'nonFinite' as const].flatMap((kind): KernelCase[] => [
    {
      kernel: 'gelu',
      label: `3×1×7×5, ${kind}`,
      inputs: { x: [3, 1, 7, 5] },
      values: { x: kind },
      run: (kernels, { x }) => [kernels.gelu?.(x as tf.Tensor4D) ?? geluOf(x as tf.Tensor4D)],
    },
    {
      kernel: 'geluGradient',
      label: `3×1×7×5, ${kind}`,
      inputs: { dy: [3, 1, 7, 5], x: [3, 1, 7, 5] },
      values: { x: kind },
      consumes: ['dy'],
      run: (kernels, { dy, x }) => [
        kernels.geluGradient?.(dy as tf.Tensor4D, x as tf.Tensor4D) ??
          gradientOf(geluOf, dy as tf.Tensor4D, x as tf.Tensor4D),
      ],
    },
  ]),
];

function attentionOf(x: tf.Tensor4D, heads: number): tf.Tensor4D {
  const [batch, , tokens, channels] = x.shape;
  const size = channels / 3 / heads;
  return tf.tidy(() => {
    const byHead = tf.transpose(tf.reshape(x, [batch, tokens, 3, heads, size]), [2, 0, 3, 1, 4]);
    const [q, k, v] = tf.unstack(byHead) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    const weights = tf.softmax(tf.mul<tf.Tensor4D>(tf.matMul(q, k, false, true), 1 / Math.sqrt(size)));
    return tf.reshape(tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]), [batch, 1, tokens, heads * size]);
  });
}

function geluOf(x: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => tf.mul(x, tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5)));
}

/** By the tape. Consumes dy. */
function gradientOf(apply: (x: tf.Tensor4D) => tf.Tensor4D, dy: tf.Tensor4D, x: tf.Tensor4D): tf.Tensor4D {
  const dx = tf.grad((input: tf.Tensor) => apply(input as tf.Tensor4D))(x, dy) as tf.Tensor4D;
  dy.dispose();
  return dx;
}
