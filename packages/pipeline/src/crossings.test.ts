import { standardCatalog } from '@localgrad/catalog';
import type { TrainingPlan } from '@localgrad/core';
import { compilePlan } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Crossing, crossingsOf } from './crossings.js';
import { build } from './plan.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** `free`, or what crosses besides activations and targets. */
function textOf({ isFree, gradients, followed, shared }: Crossing): string {
  const parts = [
    ...gradients.map((id) => `gradient of ${id}`),
    ...(followed.length === 0 ? [] : [`${new Set(followed.map(({ live }) => live)).size} averaged weights`]),
    ...(shared.length === 0 ? [] : ['shared weights']),
  ];
  expect(isFree).toBe(parts.length === 0);
  return isFree ? 'free' : parts.join(', ');
}

const crossings = (method: string, modules = 4) =>
  crossingsOf(build({ method, backbone: 'resnet14(width: 4)', modules }).compiled);

const everyCut = (text: string) => [text, text, text];
const windows = ['gradient of module1.cascaded', 'gradient of module2.cascaded', 'gradient of final.cascaded'];
const followed = everyCut('9 averaged weights');

/** What crosses the three cuts of a ResNet-14 in four modules. */
const expected: Readonly<Record<string, readonly string[]>> = {
  backprop: everyCut('gradient of final'),
  greedy: everyCut('free'),
  dgl: everyCut('free'),
  infopro: everyCut('free'),
  auglocal: ['free', 'free', 'gradient of final'],
  hpff: ['gradient of module1.cascaded', 'free', 'gradient of final.cascaded'],
  predsim: everyCut('free'),
  'mono-forward': everyCut('free'),
  dni: ['gradient of module1', 'gradient of module2', 'gradient of final'],
  'mlm(dgl)': windows,
  'mlm(dgl, within: stage)': everyCut('free'),
  'lam(dgl)': followed,
  'lam(dgl, emaBlocks: none)': everyCut('free'),
  'lam(dgl, momentum: 1)': everyCut('free'),
  'mlaan(infopro)': windows.map((window, cut) => `${window}, ${followed[cut]}`),
  'lean-mlaan(dgl)': everyCut('free'),
  'man(dgl)': ['6 averaged weights', '9 averaged weights', '9 averaged weights'],
  'sequential(dgl)': everyCut('free'),
  'pff(infopro)': everyCut('free'),
  'deep-supervision(dgl, after: 1)': ['free', 'gradient of module1', 'free'],
};

describe('crossingsOf', () => {
  it.each(Object.entries(expected))('finds what crosses each cut of %s', (method, cuts) => {
    expect(crossings(method).map(textOf)).toEqual(cuts);
  });

  it('is tested with every method and decorator', () => {
    const tested = Object.keys(expected).map((expression) => expression.replace(/\(.*/, ''));
    const all = [...standardCatalog.names('methods'), ...standardCatalog.names('decorators')];
    expect(all.filter((name) => !tested.includes(name))).toEqual([]);
  });

  it('lists the activations and the targets that later heads read', () => {
    expect(crossings('infopro').map(({ cut, activation, targets }) => [cut, activation, targets])).toEqual([
      [1, [8, 8, 4], ['images', 'labels']],
      [2, [8, 8, 4], ['images', 'labels']],
      [3, [4, 4, 8], ['labels']],
    ]);
  });

  it('names heads and weights of averages on the other side', () => {
    const [first] = crossings('man(dgl)');
    const { head, module, liveModule, live, size } = first?.followed[0] ?? {};
    expect([head, module, liveModule]).toEqual(['module0.leap', 0, 1]);
    expect(live).toMatch(/^layer\d\.\d\.conv1\.weight$/);
    expect(size).toBe(9 * 4 * 4);
  });

  it('finds weights that heads on both sides share', () => {
    const shared = crossings('lam(dgl, share: stage, emaBlocks: none)', 7).filter((one) => one.shared.length > 0);
    expect(shared.length).toBeGreaterThan(0);
    expect(shared[0]?.shared.every((name) => name.startsWith('heads.leap0.'))).toBe(true);
  });

  it('counts the gradients of the activations that cross backward', () => {
    const cotangents = (method: string) => crossings(method).map((one) => one.cotangents);
    expect(cotangents('dgl')).toEqual([0, 0, 0]);
    expect(cotangents('mlm(dgl)')).toEqual([1, 1, 1]);
    expect(cotangents('mlm(dgl, window: 3)')).toEqual([1, 2, 1]);
    expect(cotangents('backprop')).toEqual([1, 1, 1]);
    expect(cotangents('dni')).toEqual([1, 1, 1]);
  });

  it('says which averages cannot follow weights of another worker', () => {
    const obstacles = (method: string) =>
      new Set(crossings(method).flatMap((one) => one.followed.map(({ obstacle }) => obstacle)));
    expect(obstacles('lam(dgl)')).toEqual(new Set([undefined]));
    expect(obstacles('lam(dgl, emaTime: beforeStep, emaTrainable: true)')).toEqual(
      new Set(['its average is trained and moves before the update']),
    );
    expect(crossings('lam(dgl)').every(({ isPossible }) => isPossible)).toBe(true);
  });

  it('ignores gradients that end above frozen modules', () => {
    const { compiled, scope } = build({ method: 'mlm(dgl)' });
    const plan: TrainingPlan = {
      ...compiled.plan,
      phases: { phases: [{ name: 'only', frozen: [0] }], phaseAt: () => 'only' },
    };
    const frozen = compilePlan(compiled.network, plan, { scope: scope.scope('again') });
    expect(crossingsOf(frozen).map(textOf)).toEqual(['free', ...windows.slice(1)]);
  });
});
