import { readFileSync } from 'node:fs';
import { dniCnn } from '@localgrad/backbones';
import { at, clockAt, createNetwork, get, type Network, type Parameter, resolvePartition } from '@localgrad/core';
import { compilePlan, createExecutor, createTrainStep } from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import { activationFromPyTorch, readSafetensors, weightFromPyTorch } from '@localgrad/nn/serialization';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DniOptions, dni } from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** A file of `scripts/reference-steps.py`. */
function reference(name: string) {
  const { tensors } = readSafetensors(readFileSync(new URL(`./fixtures/${name}.safetensors`, import.meta.url)));
  const values = (key: string) => {
    const tensor = get(tensors, key, 'tensor');
    if (!(tensor.data instanceof Float32Array)) throw new Error(`${key} is not float32`);
    return { shape: tensor.shape, data: tensor.data };
  };
  const labels = get(tensors, 'labels', 'tensor').data;
  if (!(labels instanceof Int32Array)) throw new Error('labels are not int32');
  const images = activationFromPyTorch(values('images'));
  const weights = [...tensors.keys()].flatMap((key) => (key.startsWith('before.') ? [key.slice(7)] : []));
  return {
    images: () => tf.tensor4d(images.data, [8, 27, 27, 3]),
    labels: () => tf.tensor1d(labels, 'int32'),
    weights,
    before: (weight: string) => weightFromPyTorch(values(`before.${weight}`)),
    after: (weight: string) => weightFromPyTorch(values(`after.${weight}`)),
    losses: (step: number) => [...values('losses').data.slice(4 * step, 4 * step + 4)],
  };
}

function networkOf(modules: number): { network: Network; scope: ReturnType<typeof createScope> } {
  const scope = createScope(1);
  const backbone = dniCnn({ width: 3 }).build({ inputShape: [27, 27, 3], classes: 4, scope });
  return { network: createNetwork(backbone, resolvePartition(backbone.blocks, { modules })), scope };
}

function compiledFrom(
  options: DniOptions,
  { weights, before }: Pick<ReturnType<typeof reference>, 'weights' | 'before'>,
) {
  const { network, scope } = networkOf(4);
  const compiled = compilePlan(network, dni(options).plan(network), { scope });
  const trained = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight').map(({ name }) => name);
  expect(trained.sort()).toEqual([...weights].sort());
  for (const name of weights) {
    const { shape, data } = before(name);
    get(compiled.parameters, name, 'parameter').assign(tf.tensor(data, [...shape]));
  }
  return compiled;
}

function relativeError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  const values = Array.from(wanted);
  const largest = Math.max(...values.map(Math.abs));
  return Math.max(...values.map((value, index) => Math.abs(value - at(Array.from(found), index, 'value')))) / largest;
}

describe('dni', () => {
  it('trains each module separately, with a synthesizer on all but the last', () => {
    const { network } = networkOf(4);
    const { objectives } = dni().plan(network);
    expect(objectives.map(({ id, span, head }) => [id, ...span, head.factory?.name])).toEqual([
      ['module0', 0, 0, 'synthesizer'],
      ['module1', 1, 1, 'synthesizer'],
      ['module2', 2, 2, 'synthesizer'],
      ['final', 3, 3, undefined],
    ]);
    expect(dni({ conditional: true, hidden: 1 }).config).toEqual({ method: 'dni', conditional: true, hidden: 1 });
  });

  it.each<[string, DniOptions]>([
    ['unconditional', {}],
    ['conditional', { conditional: true }],
  ])('takes the steps of PyTorch: %s', (name, options) => {
    const wanted = reference(name);
    const compiled = compiledFrom(options, wanted);
    const trainStep = createTrainStep({
      compiled,
      optimizer: sgd({ learningRate: 0.001, momentum: 0, weightDecay: 0 }),
    });
    const batch = { images: wanted.images(), targets: { labels: wanted.labels() } };
    for (const step of [0, 1, 2]) {
      const { losses } = trainStep.run(batch, clockAt(step, 3, 1));
      const found = ['module0', 'module1', 'module2', 'final'].map((id) =>
        Number(get(losses, id, 'loss').dataSync()[0]),
      );
      expect(relativeError(found, wanted.losses(step)), `losses of step ${step}`).toBeLessThan(1e-5);
    }
    for (const weight of wanted.weights) {
      const [start, end] = [wanted.before(weight).data, wanted.after(weight).data];
      const found = get(compiled.parameters, weight, 'parameter').value.dataSync();
      const moves = Array.from(end, (value, index) => Math.abs(value - Number(start[index])));
      const errors = Array.from(end, (value, index) => Math.abs(value - Number(found[index])));
      const rounding = 2 ** -22 * Math.max(...end.map(Math.abs));
      expect(Math.max(...errors), weight).toBeLessThan(2e-4 * Math.max(...moves) + rounding);
    }
  });

  it('predicts no gradient at first: the module stands still, and the synthesizer learns', () => {
    const { network, scope } = networkOf(2);
    const compiled = compilePlan(network, dni().plan(network), { scope });
    const batch = {
      images: tf.randomNormal<tf.Rank.R4>([4, 27, 27, 3], 0, 1, 'float32', 3),
      targets: { labels: tf.tensor1d([0, 1, 2, 3], 'int32') },
    };
    const norms = new Map<string, number>();
    const onGradients = (group: readonly { readonly parameter: Parameter; readonly gradient: tf.Tensor }[]) => {
      for (const { parameter, gradient } of group) norms.set(parameter.name, Number(tf.norm(gradient).dataSync()[0]));
    };
    createExecutor(compiled).step(batch, { onGradients });
    expect(norms.get('block.0.0.weight')).toBe(0);
    expect(norms.get('heads.module0.output.weight')).toBeGreaterThan(0);
  });

  it.each([
    [{ hidden: -1 }, "dni: option 'hidden' is -1; allowed: integers ≥ 0."],
    [{ kernelSize: 4 }, "dni: option 'kernelSize' is 4; allowed: odd integers ≥ 1."],
    [{ layers: 2 }, "Unknown option of dni 'layers'"],
  ])('rejects %j', (options, message) => {
    expect(() => dni(options as DniOptions)).toThrow(message);
  });
});
