import { type Head, type HeadFactory, independentPlan, startOfTraining } from '@localgrad/core';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { buildNetwork, classes } from './plain-network.fixture.js';
import { fourLayers, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('weights that a head shares with the network', () => {
  /** A head that applies the live block of the next module to the module's output. */
  const borrowing = (live: Head['parameters'], head: Head, weight: number): Head => ({
    ...head,
    parameters: [...head.parameters, ...live],
    evaluate: (...given) => {
      const result = head.evaluate(...given);
      const own = live.map((parameter) => [parameter, tf.fill([...parameter.shape], weight)] as const);
      return { ...result, parameters: new Map([...result.parameters, ...own]) };
    },
  });

  it('are updated once, with the sum of all gradients, and not at all if their module is frozen', () => {
    const run = (weight: number, frozen?: readonly number[]) => {
      const scope = createScope(1);
      const network = buildNetwork(fourLayers, [1, 1, 1, 1], scope);
      const members = network.modules[1]?.members ?? [];
      const live = members.flatMap(({ block }) => block.parameters);
      const factory: HeadFactory = {
        name: 'borrowing',
        borrows: members.map(({ reference, block }) => ({ reference, live: block.name, as: ['live'] })),
        build: ({ inputShape, module }, own) => {
          const head = createClassifier({ scope: own, inputShape, classes });
          return module === 0 && weight !== 0 ? borrowing(live, head, weight) : head;
        },
      };
      const rule = frozen === undefined ? {} : { phases: { phases: [{ name: 'p', frozen }], phaseAt: () => 'p' } };
      const compiled = compilePlan(network, { ...independentPlan('acme', network, factory), ...rule }, { scope });
      const { optimizer, updates } = recorder();
      createTrainStep({ compiled, optimizer }).run(randomBatch(2), startOfTraining);
      return updates.flatMap((update) => [...update]).filter(([name]) => name.startsWith('b1.'));
    };
    const [alone, shared] = [run(0), run(2)];
    expect(shared.map(([name]) => name)).toEqual(alone.map(([name]) => name));
    alone.forEach(([name, values], index) => {
      values.forEach((value, at) => {
        expect(shared[index]?.[1][at], name).toBeCloseTo(value + 2, 5);
      });
    });
    expect(run(2, [1])).toEqual([]);
  });
});
