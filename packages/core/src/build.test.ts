import { describe, expect, it } from 'vitest';
import type { BackboneFactory } from './backbone.js';
import type { Block } from './block.js';
import { buildBackbone, buildHead, planOf } from './build.js';
import type { Head, HeadContext, HeadFactory } from './head.js';
import type { LocalLearningMethod } from './method.js';
import type { Network } from './network.js';
import type { ParameterScope } from './parameter.js';

const scope = {} as ParameterScope;
const options = { inputShape: [4, 4, 1], classes: 3, scope } as const;
const none = () => {};
const block = {
  name: 'stem',
  inputShape: [4, 4, 1],
  outputShape: [4, 4, 2],
  parameters: [],
  statistics: [],
  forward: none,
  vjp: none,
  replicate: none,
} as unknown as Block;
const classifier = { name: 'end', inputShape: [4, 4, 2], parameters: [], statistics: [], evaluate: none };
const backbone = {
  name: 'mine',
  config: {},
  inputShape: [4, 4, 1],
  classes: 3,
  blocks: [{ reference: [0, 0], block }],
  classifier,
};
const factoryOf = (build: () => unknown) => ({ name: 'mine', config: {}, build }) as unknown as BackboneFactory;
const second = { ...block, inputShape: [4, 4, 2] };

describe('buildBackbone', () => {
  it('returns what the factory builds', () => {
    expect(
      buildBackbone(
        factoryOf(() => backbone),
        options,
      ),
    ).toBe(backbone);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /^Backbone 'mine': the result of build is undefined; a function without 'return'/],
    ['a name', 'mine', /^Backbone 'mine': the result of build is 'mine'\.$/],
    ['no shape', { ...backbone, inputShape: undefined }, /lacks 'inputShape' \(list\)\.$/],
    ['no classifier', { ...backbone, classifier: null }, /lacks 'classifier' \(object\)\.$/],
    ['blocks alone', { ...backbone, blocks: [block] }, /block 0 lacks 'reference' \(list\), 'block' \(object\)/],
    [
      'a block without methods',
      { ...backbone, blocks: [{ reference: [0, 0], block: { ...block, vjp: undefined } }] },
      /block 0 \(0,0\) lacks 'vjp' \(function\)/,
    ],
    ['an odd shape', { ...backbone, inputShape: [4, 4] }, /images of shape 4×4, but was asked for 4×4×1/],
    [
      'images of another size',
      { ...backbone, inputShape: [8, 8, 1] },
      /images of shape 8×8×1, but was asked for 4×4×1/,
    ],
    ['too few classes', { ...backbone, classes: 2 }, /2 classes, but was asked for 3; use the 'classes'/],
    ['a Promise', Promise.resolve(backbone), /returned a Promise.*Return the backbone itself, and await/],
    [
      'a block of a Promise',
      { ...backbone, classifier: Promise.resolve(classifier) },
      /Promise as 'classifier'; await it/,
    ],
    [
      'two blocks of one name',
      { ...backbone, blocks: [...backbone.blocks, { reference: [1, 0], block: second }] },
      /blocks \(0,0\) and \(1,0\) are both named 'stem'/,
    ],
    [
      'two blocks of one reference',
      { ...backbone, blocks: [...backbone.blocks, { reference: [0, 0], block: { ...second, name: 'next' } }] },
      /blocks 'stem' and 'next' both have the reference \(0,0\)/,
    ],
  ])('rejects a factory that builds %s', (_, built, message) => {
    expect(() =>
      buildBackbone(
        factoryOf(() => built),
        options,
      ),
    ).toThrow(message);
    expect(() =>
      buildBackbone(
        factoryOf(() => built),
        options,
      ),
    ).toThrow(expect.objectContaining({ name: 'LocalgradError' }));
  });

  it('names the backbone and the line of a mistake in its factory', () => {
    const build = () => (undefined as unknown as { width: number }).width;
    expect(() => buildBackbone(factoryOf(build), options)).toThrow(
      /^Backbone 'mine': build failed: Cannot read properties of undefined.*\(build\.test\.ts:\d+:\d+\)$/,
    );
  });
});

describe('buildHead', () => {
  const context = { module: 2 } as HeadContext;
  const headOf = (build: () => unknown) => buildHead({ name: 'own', build } as unknown as HeadFactory, context, scope);

  it('returns the head, and rejects factories that build none', () => {
    const head = {} as Head;
    expect(headOf(() => head)).toBe(head);
    expect(() => headOf(none)).toThrow("The head factory 'own' on module 2 built no head: it is undefined");
    expect(() => headOf(async () => head)).toThrow(/returned a Promise.*Return the head itself/);
    expect(() => headOf(() => (undefined as unknown as Head).name)).toThrow(
      /'own' on module 2 failed: .*build\.test\.ts/,
    );
  });
});

describe('planOf', () => {
  const methodOf = (plan: () => unknown) => ({ name: 'own', plan }) as unknown as LocalLearningMethod;
  const plan = { method: 'own', objectives: [], hooks: [] };

  it('returns the plan, and rejects methods that have none', () => {
    expect(
      planOf(
        methodOf(() => plan),
        {} as Network,
      ),
    ).toBe(plan);
    expect(() => planOf(methodOf(none), {} as Network)).toThrow("The plan of method 'own' is undefined");
    expect(() =>
      planOf(
        methodOf(() => (undefined as unknown as Head).name),
        {} as Network,
      ),
    ).toThrow(/^Method 'own': plan failed: .*\(build\.test\.ts:\d+:\d+\)$/);
  });
});
