// GFLOP/s (or GB/s) of each kernel on the shapes of a CIFAR ResNet-32, beside the same operation in stock TensorFlow.js.
//   node benchmarks/kernels.mjs [--threads 2] [--batch 64] [--repeats 10] [--relaxed] [--only convolution]
// Times are the least of several: what the code can do, whatever else the machine is doing. Build the package first.
import { parseArgs } from 'node:util';
import { registerComposedFilterGradient, startWasm } from '@localgrad/wasm-kernels';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    batch: { type: 'string', default: '64' },
    repeats: { type: 'string', default: '10' },
    relaxed: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});
const batch = Number(values.batch);
const repeats = Number(values.repeats);
tf.enableProdMode();

const stockInputGradient = tf.getKernel('Conv2DBackpropInput', 'wasm');
const { kernels, facts, dispose } = await startWasm({ threads: Number(values.threads), relaxedSimd: values.relaxed });
registerComposedFilterGradient();
tf.unregisterKernel('Conv2DBackpropInput', 'wasm');
tf.registerKernel(stockInputGradient);

/** Least milliseconds; the two alternate, so that a busy machine disturbs both alike. */
function compare(own, stock) {
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    for (const [index, run] of [own, stock].entries()) {
      // Stock gradients take long: twice is enough.
      if (index === 1 && repeat > 2 && least[1] > 20 * least[0]) continue;
      const start = performance.now();
      tf.tidy(run);
      const time = performance.now() - start;
      if (repeat > 0) least[index] = Math.min(least[index], time);
    }
  }
  return least;
}

function report(name, work, unit, own, stock) {
  if (!name.includes(values.only)) return;
  const [ownTime, stockTime] = compare(own, stock);
  const rate = (time) => (work / time / 1e6).toFixed(1).padStart(7);
  const columns = [ownTime.toFixed(2).padStart(8), rate(ownTime), stockTime.toFixed(2).padStart(9), rate(stockTime)];
  console.log(`${name.padEnd(46)}${columns.join(' ')} ${unit} ${(stockTime / ownTime).toFixed(1).padStart(6)}×`);
}

console.log(`${facts.threads} threads, batch ${batch}${' '.repeat(30)}own ms    rate  stock ms    rate`);
const shapes = [
  [32, 3, 16, 3, 1],
  [32, 16, 16, 3, 1],
  [32, 16, 32, 3, 2],
  [32, 16, 32, 1, 2],
  [16, 32, 32, 3, 1],
  [16, 32, 64, 3, 2],
  [8, 64, 64, 3, 1],
  [8, 64, 128, 1, 1],
  [16, 10, 18, 3, 1],
];
for (const [size, inChannels, outChannels, kernel, stride] of shapes) {
  const padding = (kernel - 1) / 2;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const x = tf.randomNormal([batch, size, size, inChannels]);
  const w = tf.randomNormal([kernel, kernel, inChannels, outChannels]);
  const dy = tf.randomNormal([batch, out, out, outChannels]);
  const flops = 2 * batch * out * out * kernel * kernel * inChannels * outChannels;
  const geometry = { stride, padding };
  const name = `${kernel}×${kernel} ${inChannels}→${outChannels} at ${size}², stride ${stride}`;
  const attributes = { strides: stride, pad: padding, dataFormat: 'NHWC', filterShape: w.shape, inputShape: x.shape };
  const run = (kernelName, inputs) => tf.engine().runKernel(kernelName, inputs, attributes);
  const rate = [flops, 'GFLOP/s'];
  // A new filter each time, as in training: nothing may profit from packed filters of the step before.
  report(
    `convolution ${name}`,
    ...rate,
    () => kernels.conv2d(x, w, geometry),
    () => tf.conv2d(x, tf.mul(w, 1), stride, padding),
  );
  report(
    `input gradient ${name}`,
    ...rate,
    () => kernels.conv2dInputGradient(dy, w, x.shape, geometry),
    () => run('Conv2DBackpropInput', { dy, filter: w }),
  );
  report(
    `filter gradient ${name}`,
    ...rate,
    () => kernels.conv2dFilterGradient(x, dy, w.shape, geometry),
    () => run('Conv2DBackpropFilter', { x, dy }),
  );
  tf.dispose([x, w, dy]);
}

for (const [size, channels] of [
  [32, 16],
  [16, 32],
  [8, 64],
]) {
  const x = tf.randomNormal([batch, size, size, channels]);
  const dy = tf.randomNormal(x.shape);
  const scale = tf.ones([channels]);
  const shift = tf.zeros([channels]);
  const { mean, variance } = kernels.batchStatistics(x);
  const epsilon = 1e-5;
  const normalization = { mean, variance, epsilon, scale, shift };
  const bytes = 4 * x.size;
  const name = `${channels} channels at ${size}²`;
  report(
    `batch statistics ${name}`,
    bytes,
    'GB/s   ',
    () => kernels.batchStatistics(x),
    () => tf.moments(x, [0, 1, 2]),
  );
  report(
    `batch norm + ReLU ${name}`,
    2 * bytes,
    'GB/s   ',
    () => kernels.batchNormApply(x, normalization, undefined, true),
    () => tf.relu(tf.batchNorm(x, mean, variance, shift, scale, epsilon)),
  );
  report(
    `batch norm + ReLU gradient ${name}`,
    4 * bytes,
    'GB/s   ',
    () =>
      kernels.batchNormGradient({
        dy: dy.clone(),
        x,
        normalization,
        mask: 'recompute',
        overwriteInput: false,
        wantMasked: false,
      }),
    () =>
      tf.grads((v, a, b) => {
        const moments = tf.moments(v, [0, 1, 2]);
        return tf.relu(tf.batchNorm(v, moments.mean, moments.variance, b, a, epsilon));
      })([x, scale, shift], dy),
  );
  tf.dispose([x, dy, scale, shift, mean, variance]);
}
dispose();
