import { clockAt, type HeadFactory, type MovingAverage } from '@localgrad/core';
import { sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan, createTrainStep, startHistories } from './index.js';
import { headFactory } from './plain-network.fixture.js';
import { compileFour, randomBatch } from './train-step.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const live = 'b3.bn1.bias';
const steps = 6;

/** The head of module 1 copies a weight of module 3, and one of its own module. */
function copying(when: MovingAverage['when']): HeadFactory {
  return {
    name: 'copying',
    build: (context, scope) => {
      const head = headFactory.build(context, scope);
      const averages = [live, 'b1.bn1.bias'].map((name, index) => {
        const average = scope.parameter(
          `copy${index}`,
          [index === 0 ? 4 : 3],
          () => new Float32Array(4 - index),
          'frozen',
        );
        return { average, live: name, momentum: 0, when };
      });
      return { ...head, parameters: [...head.parameters, ...averages.map(({ average }) => average)], averages };
    },
  };
}

/** Compiles four modules with a delay. */
function compileDelayed(when: MovingAverage['when'], delay: number) {
  const { compiled } = compileFour((plan) => ({
    ...plan,
    objectives: plan.objectives.map((objective) =>
      objective.id === 'module1' ? { ...objective, head: { key: 'module1', factory: copying(when) } } : objective,
    ),
  }));
  return compilePlan(compiled.network, compiled.plan, { scope: createScope(8), delay });
}

describe('delay', () => {
  it.each([
    ['afterUpdate', 0, (step: number) => step],
    ['afterUpdate', 1, (step: number) => step - 1],
    ['afterUpdate', 3, (step: number) => step - 3],
    ['beforeUpdate', 0, (step: number) => step - 1],
    ['beforeUpdate', 1, (step: number) => step - 2],
    ['beforeUpdate', 2, (step: number) => step - 3],
  ] as const)('lets averages follow weights of other modules late: %s, %i steps', (when, delay, followed) => {
    const compiled = compileDelayed(when, delay);
    const value = (name: string) => [...(compiled.parameters.get(name)?.value.dataSync() ?? [])];
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 0.5 }) });
    /** The weights of modules 3 and 1 after each number of steps. */
    const trace = [[value(live), value('b1.bn1.bias')]];
    for (let done = 1; done <= steps; done++) {
      step.run(randomBatch(done), clockAt(done - 1, 1, steps));
      trace.push([value(live), value('b1.bn1.bias')]);
      expect(value('heads.module1.copy0')).toEqual(trace[Math.max(0, followed(done))]?.[0]);
      // The head's own module is not late.
      expect(value('heads.module1.copy1')).toEqual(trace[when === 'afterUpdate' ? done : done - 1]?.[1]);
    }
    expect(new Set(trace.map(([weights]) => String(weights))).size).toBe(steps + 1);
  });

  it('stores the weights that later steps need under their own names', () => {
    const names = (when: MovingAverage['when'], delay: number) =>
      [...compileDelayed(when, delay).parameters.keys()].filter((name) => name.startsWith('delayed.'));
    expect(names('afterUpdate', 0)).toEqual([]);
    expect(names('afterUpdate', 2)).toEqual([`delayed.0.${live}`, `delayed.1.${live}`]);
    expect(names('beforeUpdate', 1)).toEqual([`delayed.0.${live}`, `delayed.1.${live}`]);
  });

  it('starts with the weights that were loaded', () => {
    const { parameters, histories } = compileDelayed('afterUpdate', 1);
    parameters.get(live)?.assign(tf.fill([4], 7));
    startHistories(histories);
    expect([...(parameters.get(`delayed.0.${live}`)?.value.dataSync() ?? [])]).toEqual([7, 7, 7, 7]);
  });

  it('rejects numbers that are not steps', () => {
    expect(() => compileDelayed('afterUpdate', 0.5)).toThrow(/'delay' is 0.5; allowed: integers ≥ 0/);
    expect(() => compileDelayed('afterUpdate', -1)).toThrow(/'delay' is -1/);
  });
});
