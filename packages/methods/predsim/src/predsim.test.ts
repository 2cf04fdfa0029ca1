import { cifarResNet } from '@localgrad/backbones';
import {
  at,
  createNetwork,
  get,
  type Head,
  type HeadContext,
  resolvePartition,
  type Shape3,
  startOfTraining,
  trainingMode,
} from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import fixtures from './fixtures/pytorch.json' with { type: 'json' };
import { type PredsimOptions, poolingWindow, predsim } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function networkOf(modules: number) {
  const backbone = cifarResNet({ depth: 8, width: 4 }).build({
    inputShape: [8, 8, 3],
    classes: 10,
    scope: createScope(1),
  });
  return createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
}

function buildHead(options: PredsimOptions, inputShape: Shape3, classes: number): Head {
  const context: HeadContext = {
    module: 0,
    modules: 3,
    inputShape,
    moduleInputShape: [8, 8, 3],
    finalShape: inputShape,
    classes,
    imageShape: [8, 8, 3],
  };
  const head = predsim(options).plan(networkOf(3)).objectives[0]?.head.factory?.build(context, createScope(1));
  if (head === undefined) throw new Error('no head');
  return head;
}

function shapeOf([height = 0, width = 0, channels = 0]: readonly number[]): Shape3 {
  return [height, width, channels];
}

function relativeError(found: tf.Tensor | undefined, expected: readonly number[]): number {
  const values = found?.dataSync() ?? [];
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, index) => Math.abs(value - at(values, index, 'value')))) / largest;
}

describe('predsim', () => {
  it('trains each module separately, and the classifier with 1 − beta', () => {
    const weights = (options?: PredsimOptions) =>
      predsim(options)
        .plan(networkOf(3))
        .objectives.map(({ role, span, weight }) => [role, ...span, weight]);
    expect(weights()).toEqual([
      ['independent', 0, 0, 1],
      ['independent', 1, 1, 1],
      ['final', 2, 2, 1 - 0.99],
    ]);
    expect(weights({ loss: 'pred' })[2]).toEqual(['final', 2, 2, 1]);
    expect(weights({ loss: 'sim' })[2]).toEqual(['final', 2, 2, 1]);
    expect(weights({ finalWeight: 0.5 })[2]).toEqual(['final', 2, 2, 0.5]);
  });

  it.each(fixtures.heads)('matches losses and gradients of PyTorch: $name', (expected) => {
    const { beta, decoderInputs, classes } = expected;
    const inputShape = shapeOf(expected.shape.slice(1));
    const head = buildHead({ beta, decoderInputs }, inputShape, classes);
    const gradients = new Map(Object.entries(expected.gradients));
    const parameters = new Map(Object.entries(expected.parameters));
    expect(head.parameters.map(({ name }) => name).sort()).toEqual([...parameters.keys()].sort());
    for (const parameter of head.parameters) {
      const values = get(parameters, parameter.name, 'parameter');
      parameter.assign(tf.tensor(values, [...parameter.shape]));
    }
    const h = tf.tensor4d(expected.input, [expected.labels.length, ...inputShape]);
    const targets = { labels: tf.tensor1d(expected.labels, 'int32') };
    const request = { mode: trainingMode, weight: 1, input: true, clock: startOfTraining };
    const result = head.evaluate(h, targets, request);
    expect(result.loss.dataSync()[0]).toBeCloseTo(expected.loss, 5);
    expect(result.terms?.get('similarity')?.dataSync()[0]).toBeCloseTo(expected.similarity, 5);
    expect(result.terms?.get('prediction')?.dataSync()[0]).toBeCloseTo(expected.prediction, 5);
    expect(relativeError(result.input, expected.gradients.input)).toBeLessThan(1e-4);
    for (const parameter of head.parameters) {
      const gradient = get(gradients, parameter.name, 'gradient');
      expect(relativeError(result.parameters.get(parameter), gradient), parameter.name).toBeLessThan(1e-4);
    }
  });

  it('pools until the classifier has few enough inputs (docs/methods/predsim.md §2)', () => {
    const table: Readonly<Record<number, string>> = {
      4096: '128@32 8×4, 256@32 8×8, 256@16 4×4, 512@16 8×4, 512@8 4×2, 512@4 2×1, 16@32 2×2, 32@16 2×1, 64@8 1×1',
      2048: '128@32 8×8, 256@32 16×8, 256@16 8×4, 512@16 8×8, 512@8 4×4, 512@4 2×2, 16@32 4×2, 32@16 2×2, 64@8 2×1',
      512: '128@32 16×16, 256@32 32×16, 256@16 16×8, 512@16 16×16, 512@8 8×8, 512@4 4×4, 16@32 8×4, 32@16 4×4, 64@8 4×2',
    };
    for (const [inputs, row] of Object.entries(table)) {
      const found = row.split(', ').map((cell) => {
        const [channels = 0, size = 0] = (cell.split(' ')[0] ?? '').split('@').map(Number);
        return `${channels}@${size} ${poolingWindow([size, size, channels], Number(inputs)).join('×')}`;
      });
      expect(found.join(', ')).toBe(row);
    }
    for (const { size, channels, inputs, window } of fixtures.windows) {
      expect(poolingWindow([size, size, channels], inputs)).toEqual(window);
    }
    expect(poolingWindow([2, 8, 4], 8)).toEqual([2, 4]);
    // A map of one pixel cannot become smaller.
    expect(poolingWindow([1, 1, 512], 10)).toEqual([1, 1]);
    expect(poolingWindow([4, 4, 512], 10)).toEqual([4, 4]);
  });

  it('starts with a classifier of zeros and a random bias', () => {
    const valuesOf = (options: PredsimOptions, name: string) =>
      buildHead(options, [4, 4, 8], 3)
        .parameters.find((parameter) => parameter.name === name)
        ?.value.dataSync() ?? [];
    expect(new Set(valuesOf({}, 'decoder.weight'))).toEqual(new Set([0]));
    expect(new Set(valuesOf({}, 'decoder.bias')).size).toBe(3);
    const uniform = [...valuesOf({ decoderStart: 'uniform' }, 'decoder.weight')].map(Math.abs);
    expect(Math.max(...uniform)).toBeLessThanOrEqual(1 / Math.sqrt(128));
    expect(Math.max(...uniform)).toBeGreaterThan(0.9 / Math.sqrt(128));
    const convolution = [...valuesOf({}, 'similarity.weight')].map(Math.abs);
    expect(Math.max(...convolution)).toBeLessThanOrEqual(1 / Math.sqrt(72));
  });

  it('predicts classes with the local classifier only', () => {
    const h: tf.Tensor4D = tf.randomNormal([2, 4, 4, 8]);
    for (const loss of ['pred', 'predsim'] as const) {
      expect(buildHead({ loss }, [4, 4, 8], 3).predict?.(h).shape).toEqual([2, 3]);
    }
    const head = buildHead({ loss: 'sim' }, [4, 4, 8], 3);
    expect(head.predict).toBeUndefined();
    expect(head.parameters.map(({ name }) => name)).toEqual(['similarity.weight']);
    const metrics = head.measure?.(h, { labels: tf.tensor1d([0, 1], 'int32') });
    expect([...(metrics?.keys() ?? [])]).toEqual(['loss']);
  });

  it('is rebuilt from its config', () => {
    for (const options of [{}, { loss: 'sim' }, { beta: 0.5, decoderInputs: 512, decoderStart: 'uniform' }] as const) {
      const { method, ...rest } = JSON.parse(JSON.stringify(predsim(options).config));
      expect([method, predsim(rest).config]).toEqual(['predsim', predsim(options).config]);
    }
  });

  it.each<[string, RegExp]>([
    ['{ "lose": "sim" }', /option of predsim 'lose'. Did you mean 'loss'/],
    ['{ "loss": "recon" }', /'loss' is 'recon'.*predsim, pred, sim/],
    ['{ "beta": 0 }', /'beta' is 0.*between 0 and 1/],
    ['{ "beta": 1 }', /use loss 'pred' or 'sim'/],
    ['{ "beta": 0.5, "loss": "sim" }', /'beta' is 0.5.*unless loss is 'predsim'/],
    ['{ "decoderInputs": 0.5 }', /positive integers/],
    ['{ "decoderInputs": 512, "loss": "sim" }', /has no classifier/],
    ['{ "decoderStart": "ones" }', /zeros, uniform/],
    ['{ "decoderStart": "zeros", "loss": "sim" }', /has no classifier/],
    ['{ "finalWeight": -1 }', /finite numbers ≥ 0/],
  ])('rejects %s', (options, message) => {
    expect(() => predsim(JSON.parse(options))).toThrow(message);
  });
});
