import { type HeadFactory, independentPlan, type Network, type Parameter } from '@localgrad/core';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { buildNetwork, classes } from './plain-network.fixture.js';
import { fourLayers } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const place = /head 'own' \(module1\) on module 1 \(1,1\)/;

describe('a plan with a head that trains a weight of another owner', () => {
  const compileFor = (find: (network: Network) => readonly Parameter[], more: Partial<HeadFactory> = {}) => {
    const scope = createScope(1);
    const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
    let first: readonly Parameter[] = [];
    const factory: HeadFactory = {
      name: 'own',
      ...more,
      build: ({ inputShape, module }, place) => {
        const head = createClassifier({ scope: place, inputShape, classes, name: 'own' });
        if (module === 0) first = head.parameters;
        const foreign = [...find(network), ...(find === noParameters ? first : [])];
        return module === 1 ? { ...head, parameters: [...head.parameters, ...foreign] } : head;
      },
    };
    return compilePlan(network, independentPlan('acme', network, factory), { scope });
  };
  const noParameters = () => [];
  const ofModule = (module: number) => (network: Network) => network.modules[module]?.blocks[0]?.parameters ?? [];

  it.each<[string, (network: Network) => readonly Parameter[], RegExp]>([
    ['an earlier module', ofModule(0), /trains 'b0\.conv\.weight', which belongs to block 'b0' \(1,0\) of module 0/],
    ['a later module', ofModule(3), /'b3\.[\w.]+', which belongs to block 'b3' \(1,3\) of module 3.*'borrows'/],
    ['its own module', ofModule(1), /belongs to block 'b1' \(1,1\) of module 1/],
    ['the classifier', ({ backbone }) => backbone.classifier.parameters, /'fc\.weight'.*the network's classifier/],
    ['another head', noParameters, /'heads\.module0\.fc\.weight'.*the head 'own' \(module0\) on module 0.*'shares'/],
  ])('rejects %s', (_, find, message) => {
    expect(() => compileFor(find)).toThrow(message);
    expect(() => compileFor(find)).toThrow(place);
  });

  it('accepts the live blocks that its factory declares, and no others', () => {
    const borrows = (index: number, use: 'live' | 'trained-copy') => [
      { reference: [1, index] as const, live: `b${index}`, as: [use] },
    ];
    expect(() => compileFor(ofModule(3), { borrows: borrows(3, 'live') })).not.toThrow();
    expect(() => compileFor(ofModule(3), { borrows: borrows(2, 'live') })).toThrow(/belongs to block 'b3'/);
    expect(() => compileFor(ofModule(3), { borrows: borrows(3, 'trained-copy') })).toThrow(/belongs to block 'b3'/);
  });
});
