import {
  createNetwork,
  type Head,
  type HeadFactory,
  independentPlan,
  type Shape3,
  startOfTraining,
} from '@localgrad/core';
import { conv2d, relu, sequential } from '@localgrad/nn/blocks';
import { createClassifier } from '@localgrad/nn/heads';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CompiledPlan, compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import { buildNetwork, classes, headFactory } from './plain-network.fixture.js';
import type { MemoryPolicy } from './schedule.js';
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

describe('a weight of blocks in several modules', () => {
  /** Modules 0 and 2 have the same convolution; in the second, it runs twice. */
  const compiled = (kind: 'local' | 'end to end', frozen: readonly number[], memory: MemoryPolicy = 'residuals') => {
    const scope = createScope(4);
    const inputShape: Shape3 = [6, 6, 2];
    const block = (name: string) => conv2d({ name, scope, layer: name, inputShape, channels: 2 });
    const common = block('common');
    const blocks = [
      sequential('first', [common, relu('r', inputShape)]),
      block('own'),
      sequential('twice', [common, common]),
    ].map((member, index) => ({ reference: [1, index] as const, block: member }));
    const classifier = createClassifier({ scope, inputShape, classes });
    const backbone = { name: 'tied', config: {}, inputShape, classes, blocks, classifier };
    const network = createNetwork(backbone, [1, 1, 1]);
    const local = independentPlan('acme', network, headFactory);
    const last = local.objectives.slice(-1).map((objective) => ({ ...objective, span: [0, 2] as const }));
    const plan = { ...local, ...(kind === 'local' ? {} : { objectives: last }) };
    const rule = { phases: [{ name: 'p', frozen }], phaseAt: () => 'p' };
    return compilePlan(network, { ...plan, phases: rule }, { scope, memory });
  };
  const gradientsOf = (executor: typeof createExecutor, plan: CompiledPlan) => {
    const found: [string, number[]][] = [];
    executor(plan).step(randomBatch(2), {
      onGradients: (group) => {
        for (const { parameter, gradient } of group) found.push([parameter.name, [...gradient.dataSync()]]);
      },
    });
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  };

  it.each([
    ['local', 'residuals'],
    ['end to end', 'residuals'],
    ['end to end', 'recompute'],
  ] as const)('is updated once, with the sum of their gradients (%s, %s)', (kind, memory) => {
    const found = gradientsOf(createExecutor, compiled(kind, [], memory));
    const expected = gradientsOf(createLiteralExecutor, compiled(kind, []));
    expect(found.map(([name]) => name)).toEqual(expected.map(([name]) => name));
    expect(found.map(([name]) => name)).toContain('common.weight');
    for (const [index, [name, values]] of found.entries()) {
      for (const [at, value] of values.entries()) expect(value, name).toBeCloseTo(expected[index]?.[1][at] ?? 0, 5);
    }
  });

  it('is not updated if one of the modules is frozen', () => {
    const names = gradientsOf(createExecutor, compiled('local', [2])).map(([name]) => name);
    expect(names).not.toContain('common.weight');
    expect(names).toContain('own.weight');
  });
});
