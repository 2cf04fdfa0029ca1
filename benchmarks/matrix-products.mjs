// Matrix products of the wasm kernels beside stock TensorFlow.js on the same backend: GMAC/s, in turns, by the least time.
//   npm run build && node benchmarks/matrix-products.mjs
// --threads 2; --repeats 20: per product and implementation; --no-relaxed-simd: without fused multiply-adds. Stock may keep packed
// matrices b from one repeat to the next, which training could not use. The shapes are those of
// predsim's perceptron (3 × 1024 units, batch 128), forward and backward, and of classifiers, projections and attention.
import { parseArgs } from 'node:util';
import { startWasm } from '@localgrad/wasm-kernels';
import * as tf from '@tensorflow/tfjs';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    repeats: { type: 'string', default: '20' },
    'relaxed-simd': { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const repeats = Number(values.repeats);
tf.enableProdMode();
const runtime = await startWasm({ threads: Number(values.threads), relaxedSimd: values['relaxed-simd'] });

/** [rows, inner, columns, transposeA, transposeB] */
const products = [
  [128, 784, 1024, false, false],
  [128, 1024, 1024, false, false],
  [128, 1024, 1024, false, true],
  [1024, 128, 1024, true, false],
  [784, 128, 1024, true, false],
  [128, 1024, 10, false, false],
  [128, 10, 1024, false, true],
  [1024, 128, 10, true, false],
  [1, 128, 1024, false, false],
  [64, 64, 10, false, false],
  [64, 64, 128, false, false],
  [128, 1024, 128, false, true],
  [4160, 192, 192, false, false],
  [192, 4160, 192, true, false],
  [512, 512, 512, false, false],
];

console.log(`${runtime.facts.threads} threads, relaxed SIMD: ${runtime.facts.relaxedSimd}`);
console.log(`${'rows × inner × columns'.padEnd(28)}  own ms  GMAC/s  stock ms  GMAC/s`);
for (const [rows, inner, columns, transposeA, transposeB] of products) {
  const a = tf.randomNormal(transposeA ? [inner, rows] : [rows, inner]);
  const b = tf.randomNormal(transposeB ? [columns, inner] : [inner, columns]);
  const candidates = [
    () => runtime.kernels.matMul(a, b, transposeA, transposeB),
    () => tf.matMul(a, b, transposeA, transposeB),
  ];
  const least = candidates.map(() => Number.POSITIVE_INFINITY);
  for (let repeat = 0; repeat < repeats; repeat++) {
    candidates.forEach((multiply, index) => {
      // Stock transposed products take long: three times are enough.
      if (index === 1 && repeat > 2 && least[1] > 5 * least[0]) return;
      const start = performance.now();
      const product = multiply();
      runtime.heap.finish();
      least[index] = Math.min(least[index], performance.now() - start);
      product.dispose();
    });
  }
  const name = `${rows} × ${inner}${transposeA ? ' ᵀ' : ''} × ${columns}${transposeB ? ' ᵀ' : ''}`;
  const columnsOf = (time) =>
    `${time.toFixed(3).padStart(8)}${((rows * inner * columns) / time / 1e6).toFixed(1).padStart(8)}`;
  console.log(`${name.padEnd(28)}${least.map(columnsOf).join('  ')}`);
  tf.dispose([a, b]);
}
runtime.dispose();
