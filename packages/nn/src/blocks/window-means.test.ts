import { type Block, bytesOf, type Shape3, trainingMode, type Want } from '@localgrad/core';
import { registerTrainingKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { copy, perturb, randomTensor, relativeError } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import { relu } from './activations.js';
import { globalAveragePool } from './global-average-pool.js';
import { adaptiveAveragePool, averagePool, maxPool } from './pooling.js';
import { basicBlock, convBatchNormRelu } from './residual-blocks.js';
import { sequential } from './sequential.js';
import { spreadMeans, vjpOfMeansOf, vjpToMeansOf } from './window-means.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const inputShape: Shape3 = [8, 12, 4];
const batch = 4;
const unit = (channels: number, stride: number, name = 'b') =>
  basicBlock({ name, scope: createScope(1), inputShape, channels, stride });
const readers: [string, () => Block][] = [
  ['a basic block', () => unit(4, 1)],
  ['a basic block with a projection', () => unit(6, 2)],
  [
    'a convolution with batch norm',
    () => convBatchNormRelu({ name: 'c', scope: createScope(1), inputShape, channels: 5 }),
  ],
  [
    'one without a ReLU',
    () => convBatchNormRelu({ name: 'c', scope: createScope(1), inputShape, channels: 5, relu: false }),
  ],
  ['two basic blocks', () => sequential('s', [unit(4, 1, 'a'), unit(4, 1)])],
  ['a block that reads a map', () => sequential('s', [unit(4, 1), relu('r', inputShape)])],
];
const wants: Want[] = [true, false].flatMap((input) =>
  [true, false].map((release) => ({ input, parameters: true, release })),
);

describe.each(readers)('%s', (_, create) => {
  const setUp = () => {
    const block = create();
    const random = createRandom(2);
    perturb(block, random);
    const [height, width, channels] = block.outputShape;
    const means: Shape3 = [height / 4, width / 6, channels];
    return {
      block,
      means,
      x: randomTensor([batch, ...inputShape], random) as tf.Tensor4D,
      dy: randomTensor([batch, ...means], random) as tf.Tensor4D,
    };
  };

  it.each(['with', 'without'])('has the same gradients from means as from their map, %s kernels for it', (which) => {
    const { block, x, dy } = setUp();
    const meter = new LiveBytes();
    const unregister = which === 'with' ? registerTrainingKernels(meter.withoutTemporaries(stockKernels)) : () => {};
    for (const want of wants) {
      const before = tf.memory().numTensors;
      const [first, second] = [0, 1].map(() => block.forward(x, trainingMode)) as [Pass, Pass];
      const expected = block.vjp(first, spreadMeans(copy(dy), block.outputShape), want);
      const found = vjpOfMeansOf(block).vjp(second, copy(dy), want);
      expect([...found.parameters.keys()]).toEqual([...expected.parameters.keys()]);
      expect(found.input !== undefined).toBe(want.input);
      for (const [parameter, gradient] of found.parameters) {
        const other = expected.parameters.get(parameter) as tf.Tensor;
        expect(relativeError(gradient, other), parameter.name).toBeLessThan(1e-6);
      }
      if (want.input) expect(relativeError(found.input as tf.Tensor, expected.input as tf.Tensor)).toBeLessThan(1e-6);
      for (const pass of [first, second]) {
        pass.release();
        pass.output.dispose();
      }
      for (const { input, parameters } of [found, expected])
        tf.dispose([...(input ? [input] : []), ...parameters.values()]);
      expect(tf.memory().numTensors).toBe(before);
    }
    unregister();
    meter.stop();
  });

  it('predicts its bytes', () => {
    const { block, means, x, dy } = setUp();
    const meter = new LiveBytes();
    const unregister = registerTrainingKernels(meter.withoutTemporaries(stockKernels));
    for (const want of wants) {
      const pass = block.forward(x, trainingMode);
      const given = copy(dy);
      const { result, peak } = meter.peakOf(() => vjpOfMeansOf(block).vjp(pass, given, want));
      const predicted = vjpOfMeansOf(block).peakBytes(batch, want, means);
      const tolerance = 0.05 * bytesOf(inputShape, batch);
      expect(Math.abs(peak - predicted), JSON.stringify({ want, peak, predicted })).toBeLessThan(tolerance);
      pass.release();
      tf.dispose([pass.output, ...(result.input ? [result.input] : []), ...result.parameters.values()]);
    }
    unregister();
    meter.stop();
  });
});

type Pass = ReturnType<Block['forward']>;

describe('blocks that start with means', () => {
  const pools: [string, () => Block][] = [
    ['adaptive average pooling', () => adaptiveAveragePool('p', inputShape, [4, 6])],
    ['average pooling', () => averagePool('p', inputShape, 4)],
    ['global average pooling', () => globalAveragePool('p', inputShape)],
    ['a sequence', () => sequential('s', [averagePool('p', inputShape, 2), relu('r', [4, 6, 4])])],
  ];
  it.each(pools)('%s: the cotangent of the means has the content of that of the input', (_, create) => {
    const block = create();
    const random = createRandom(3);
    const x = randomTensor([batch, ...inputShape], random) as tf.Tensor4D;
    const dy = randomTensor([batch, ...block.outputShape], random) as tf.Tensor4D;
    const want = { input: true, parameters: true, release: false };
    const before = tf.memory().numTensors;
    const pass = block.forward(x, trainingMode);
    const expected = block.vjp(pass, copy(dy), want).input as tf.Tensor4D;
    const toMeans = vjpToMeansOf(block);
    const found = toMeans?.vjp(pass, copy(dy), { ...want, release: true }).input as tf.Tensor4D;
    expect(found.shape).toEqual([batch, ...(toMeans?.shape ?? [])]);
    const spread = spreadMeans(found, inputShape);
    expect(relativeError(spread, expected)).toBeLessThan(1e-6);
    tf.dispose([expected, spread, pass.output]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('are not those whose windows overlap or leave out a part of the map', () => {
    const others = [
      adaptiveAveragePool('p', inputShape, [3, 6]),
      averagePool('p', inputShape, 3),
      maxPool({ name: 'p', inputShape }),
      relu('r', inputShape),
    ];
    expect(others.map(vjpToMeansOf)).toEqual(others.map(() => undefined));
  });
});
