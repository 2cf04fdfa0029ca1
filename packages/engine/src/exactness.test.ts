import {
  type Block,
  createNetwork,
  type HeadFactory,
  type Network,
  type Objective,
  type Parameter,
  type Shape3,
  type Span,
  type TrainingPlan,
} from '@localgrad/core';
import { basicBlock, convBatchNormRelu, createClassifier, createScope, type RootScope } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import type { MemoryPolicy } from './schedule.js';

const imageShape: Shape3 = [6, 6, 2];
const classes = 3;
const batchSize = 5;

const headFactory: HeadFactory = {
  name: '0c1f',
  build: ({ inputShape }, scope) => createClassifier({ scope, inputShape, classes }),
};

interface Layer {
  readonly kind: 'plain' | 'residual';
  readonly channels: number;
  readonly stride: 1 | 2;
}

function buildNetwork(layers: readonly Layer[], sizes: readonly number[], scope: RootScope): Network {
  const blocks: { reference: readonly [number, number]; block: Block }[] = [];
  layers.forEach(({ kind, channels, stride }, index) => {
    const inputShape = blocks.at(-1)?.block.outputShape ?? imageShape;
    const options = { name: `b${index}`, scope: scope.scope(`b${index}`), inputShape, channels, stride };
    blocks.push({ reference: [1, index], block: kind === 'plain' ? convBatchNormRelu(options) : basicBlock(options) });
  });
  const last = blocks.at(-1)?.block as Block;
  const classifier = createClassifier({ scope, inputShape: last.outputShape, classes });
  const backbone = { name: 'random', config: {}, inputShape: imageShape, classes, blocks, classifier };
  return createNetwork(backbone, sizes);
}

// ---- The same network in plain TensorFlow.js operations: knows parameters' names, nothing of blocks. ----

type Values = (name: string) => tf.Tensor;

function plainNorm(x: tf.Tensor, values: Values, name: string): tf.Tensor {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  const normalised = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5)));
  return tf.add(tf.mul(normalised, values(`${name}.weight`)), values(`${name}.bias`));
}

function plainConvolution(x: tf.Tensor, values: Values, name: string, stride: number, padding: number): tf.Tensor {
  return tf.conv2d(x as tf.Tensor4D, values(`${name}.weight`) as tf.Tensor4D, stride, padding);
}

function plainLayer(x: tf.Tensor, { kind, channels, stride }: Layer, index: number, values: Values): tf.Tensor {
  const at = `b${index}`;
  if (kind === 'plain') {
    return tf.relu(plainNorm(plainConvolution(x, values, `${at}.conv`, stride, 1), values, `${at}.bn`));
  }
  const hidden = tf.relu(plainNorm(plainConvolution(x, values, `${at}.conv1`, stride, 1), values, `${at}.bn1`));
  const main = plainNorm(plainConvolution(hidden, values, `${at}.conv2`, 1, 1), values, `${at}.bn2`);
  const shortcut =
    stride === 1 && x.shape[3] === channels
      ? x
      : plainNorm(plainConvolution(x, values, `${at}.downsample.0`, stride, 0), values, `${at}.downsample.1`);
  return tf.relu(tf.add(main, shortcut));
}

function plainLoss(h: tf.Tensor, labels: tf.Tensor1D, values: Values, prefix: string): tf.Scalar {
  const pooled = tf.mean(h, [1, 2]);
  const logits = tf.add(
    tf.matMul(pooled as tf.Tensor2D, values(`${prefix}fc.weight`) as tf.Tensor2D),
    values(`${prefix}fc.bias`),
  );
  const logProbabilities = tf.logSoftmax(logits);
  return tf.neg(tf.mean(tf.sum(tf.mul(logProbabilities, tf.oneHot(labels, classes)), 1))) as tf.Scalar;
}

/** Σ weight · ∂loss/∂parameter, each loss seeing the input of its span as a constant: stop-gradients by construction. */
function referenceGradients(
  layers: readonly Layer[],
  sizes: readonly number[],
  objectives: readonly Objective[],
  parameters: ReadonlyMap<string, Parameter>,
  images: tf.Tensor4D,
  labels: tf.Tensor1D,
): { gradients: Map<string, tf.Tensor>; losses: Map<string, number> } {
  const starts = sizes.map((_, module) => sizes.slice(0, module).reduce((sum, size) => sum + size, 0));
  const names = [...parameters.values()].filter(({ kind }) => kind === 'weight').map(({ name }) => name);
  const values: Values = (name) => (parameters.get(name) as Parameter).value;
  const inputs: tf.Tensor[] = [images];
  for (const [index, layer] of layers.entries()) {
    inputs.push(plainLayer(inputs[index] as tf.Tensor, layer, index, values));
  }
  const gradients = new Map<string, tf.Tensor>();
  const losses = new Map<string, number>();
  for (const { id, span, weight, head } of objectives) {
    const first = starts[span[0]] as number;
    const end = (starts[span[1]] as number) + (sizes[span[1]] as number);
    const reached = names.filter((name) => {
      if (name.startsWith('heads.')) return name.startsWith(`heads.${head.key}.`);
      if (name.startsWith('fc.')) return head.key === 'classifier';
      const layer = Number(/^b(\d+)/.exec(name)?.[1]);
      return layer >= first && layer < end;
    });
    const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
      const bound: Values = (name) => tensors[reached.indexOf(name)] as tf.Tensor;
      let h = inputs[first] as tf.Tensor;
      for (let index = first; index < end; index++) h = plainLayer(h, layers[index] as Layer, index, bound);
      return plainLoss(h, labels, bound, head.key === 'classifier' ? '' : `heads.${head.key}.`);
    };
    const { value, grads } = tf.valueAndGrads(loss)(reached.map(values));
    losses.set(id, value.dataSync()[0] as number);
    grads.forEach((gradient, index) => {
      const name = reached[index] as string;
      const scaled = tf.mul(gradient, weight as number);
      const sum = gradients.get(name);
      gradients.set(name, sum === undefined ? scaled : tf.add(sum, scaled));
    });
  }
  return { gradients, losses };
}

function relativeError(actual: tf.Tensor, expected: tf.Tensor, floor: number): number {
  const difference = tf.max(tf.abs(tf.sub(actual, expected))).dataSync()[0] as number;
  return difference / Math.max(floor, tf.max(tf.abs(expected)).dataSync()[0] as number);
}

/** Runs both and returns the worst relative error over all gradients. */
function worstError(
  layers: readonly Layer[],
  sizes: readonly number[],
  plan: TrainingPlan,
  memory: MemoryPolicy,
  seed: number,
): number {
  const scope = createScope(seed);
  const network = buildNetwork(layers, sizes, scope);
  const compiled = compilePlan(network, plan, { scope, memory });
  const images = tf.randomNormal([batchSize, ...imageShape], 0, 1, 'float32', seed) as tf.Tensor4D;
  const labels = tf.tensor1d(
    Array.from({ length: batchSize }, (_, n) => (n + seed) % classes),
    'int32',
  );
  const before = tf.memory().numTensors;
  const gradients = new Map<string, tf.Tensor>();
  const result = createExecutor(compiled).step(
    { images, targets: { labels } },
    {
      onGradients: (group) => {
        for (const { parameter, gradient } of group) gradients.set(parameter.name, gradient);
      },
    },
  );
  expect(tf.memory().numTensors - before).toBe(gradients.size + result.losses.size);
  const worst = tf.tidy(() => {
    const expected = referenceGradients(layers, sizes, compiled.objectives, compiled.parameters, images, labels);
    expect([...gradients.keys()].sort()).toEqual([...expected.gradients.keys()].sort());
    const scale = Math.max(
      ...[...expected.gradients.values()].map((gradient) => tf.max(tf.abs(gradient)).dataSync()[0] as number),
    );
    for (const [id, loss] of result.losses) {
      expect(loss.dataSync()[0]).toBeCloseTo(expected.losses.get(id) as number, 4);
    }
    return Math.max(
      ...[...gradients].map(([name, gradient]) =>
        // A tensor whose true gradient is nearly 0 is measured against the largest gradient.
        relativeError(gradient, expected.gradients.get(name) as tf.Tensor, scale * 1e-2),
      ),
    );
  });
  for (const tensor of [...gradients.values(), ...result.losses.values(), images, labels]) tensor.dispose();
  for (const parameter of scope.all().values()) parameter.dispose();
  return worst;
}

const layer = fc.record<Layer>({
  kind: fc.constantFrom('plain', 'residual'),
  channels: fc.integer({ min: 2, max: 4 }),
  stride: fc.constantFrom(1, 1, 2),
});

const configuration = fc.array(layer, { minLength: 1, maxLength: 5 }).chain((layers) =>
  fc.record({
    layers: fc.constant(layers),
    cuts: fc.subarray(Array.from({ length: layers.length - 1 }, (_, index) => index + 1)),
    picks: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(0.25, 0.5, 1, 2), fc.boolean()), {
      minLength: 1,
      maxLength: 5,
    }),
    memory: fc.constantFrom<MemoryPolicy>('residuals', 'recompute'),
    seed: fc.integer({ min: 1, max: 1000 }),
  }),
);

function sizesFrom(layers: number, cuts: readonly number[]): number[] {
  const ends = [...cuts, layers];
  return ends.map((end, index) => end - (ends[index - 1] ?? 0));
}

describe('the executor', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it('gives the gradients of the same losses with stop-gradients, for random backbones, partitions and spans', () => {
    fc.assert(
      fc.property(configuration, ({ layers, cuts, picks, memory, seed }) => {
        const sizes = sizesFrom(layers.length, cuts);
        const objectives = picks.map(([a, b, weight, isShared], index): Objective => {
          const [x, y] = [a % sizes.length, b % sizes.length];
          const span: Span = [Math.min(x, y), Math.max(x, y)];
          const head = { key: isShared ? `shared${span[1]}` : `own${index}`, factory: headFactory };
          return { id: `o${index}`, role: 'independent', span, weight, head };
        });
        expect(
          worstError(layers, sizes, { method: 'random', objectives, hooks: [] }, memory, seed),
        ).toBeLessThanOrEqual(1e-4);
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  const layers: Layer[] = [
    { kind: 'plain', channels: 3, stride: 1 },
    { kind: 'residual', channels: 3, stride: 1 },
    { kind: 'residual', channels: 4, stride: 2 },
    { kind: 'residual', channels: 4, stride: 1 },
  ];
  const final = (span: Span): TrainingPlan => ({
    method: 'final',
    objectives: [{ id: 'final', role: 'final', span, weight: 1, head: { key: 'classifier' } }],
    hooks: [],
  });

  it.each([
    ['K = 1', [4], [0, 0]],
    ['K = 4, one span over everything', [1, 1, 1, 1], [0, 3]],
    ['K = 2, one span over everything', [2, 2], [0, 1]],
  ] as const)('is end-to-end backpropagation for %s', (_, sizes, span) => {
    for (const memory of ['residuals', 'recompute'] as const) {
      expect(worstError(layers, sizes, final(span), memory, 3)).toBeLessThanOrEqual(1e-4);
    }
  });

  it('names what is wrong with a batch', () => {
    const scope = createScope(1);
    const compiled = compilePlan(buildNetwork(layers, [4], scope), final([0, 0]), { scope });
    const images = tf.zeros([2, 5, 5, 2]) as tf.Tensor4D;
    const labels = tf.tensor1d([0, 1], 'int32');
    const step = () => createExecutor(compiled).step({ images, targets: { labels } }, { onGradients: () => {} });
    expect(step).toThrow(/shape \[2, 6, 6, 2\].*has \[2, 5, 5, 2\]/);
  });
});
