import {
  clockAt,
  type HeadFactory,
  independentPlan,
  type Optimizer,
  type StepContext,
  startOfTraining,
  type TrainingPlan,
} from '@localgrad/core';
import { clipped, sgd } from '@localgrad/nn/optimizers';
import { createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilePlan } from './compile.js';
import { createExecutor } from './executor.js';
import { createLiteralExecutor } from './literal.js';
import { headFactory } from './plain-network.fixture.js';
import type { StepOptions } from './step.js';
import { compileFour, plainModules, randomBatch, recorder } from './train-step.fixture.js';
import { createTrainStep } from './train-step.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function compilePlain(change: (plan: TrainingPlan) => TrainingPlan = (plan) => plan) {
  const scope = createScope(2);
  const network = plainModules(scope);
  return compilePlan(network, change(independentPlan('greedy', network, headFactory)), { scope });
}

describe('gradient accumulation', () => {
  it.each([
    [2, 8],
    [3, 8],
    [8, 8],
    [20, 8],
  ])(
    'computes the gradients and losses of the whole batch from %i micro-batches of a batch of %i',
    (accumulate, size) => {
      const compiled = compilePlain();
      const batch = randomBatch(3, size);
      const before = tf.memory().numTensors;
      const run = (parts: number) => {
        const { optimizer, gradients } = recorder();
        const { losses } = createTrainStep({ compiled, optimizer, accumulate: parts }).run(batch, startOfTraining);
        const values = [...losses].map(([id, loss]) => [id, loss.dataSync()[0] ?? Number.NaN] as const);
        tf.dispose([...losses.values()]);
        return { gradients: gradients(), losses: new Map(values) };
      };
      const whole = run(1);
      const parts = run(accumulate);
      expect(tf.memory().numTensors).toBe(before);
      expect([...parts.gradients.keys()].sort()).toEqual([...whole.gradients.keys()].sort());
      for (const [name, values] of whole.gradients) {
        values.forEach((value, index) => {
          expect(Math.abs((parts.gradients.get(name)?.[index] ?? Number.NaN) - value), name).toBeLessThanOrEqual(1e-6);
        });
      }
      for (const [id, loss] of whole.losses) expect(parts.losses.get(id)).toBeCloseTo(loss, 5);
      batch.dispose();
    },
  );

  it('accepts a list of batches as micro-batches, each weighted by its size', () => {
    const compiled = compilePlain();
    const batch = randomBatch(3, 8);
    const cut = (begin: number, size: number) => ({
      images: tf.slice(batch.images, [begin, 0, 0, 0], [size, 6, 6, 2]),
      targets: { labels: tf.slice(batch.targets.labels as tf.Tensor1D, [begin], [size]) },
    });
    const [whole, list] = [recorder(), recorder()];
    createTrainStep({ compiled, optimizer: whole.optimizer }).run(batch, startOfTraining);
    createTrainStep({ compiled, optimizer: list.optimizer }).run([cut(0, 6), cut(6, 2)], startOfTraining);
    for (const [name, values] of whole.gradients()) {
      values.forEach((value, index) => {
        expect(Math.abs((list.gradients().get(name)?.[index] ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-6);
      });
    }
  });

  it('updates each weight once per step and running statistics once per micro-batch, with one noise key per micro-batch', () => {
    const { compiled } = compileFour();
    const batch = randomBatch(1);
    const { optimizer, updates } = recorder();
    const seen: unknown[] = [];
    const executor = (plan: typeof compiled) => {
      const inner = createExecutor(plan);
      return {
        step: (part: typeof batch, options: StepOptions) => {
          seen.push([part.images.shape[0], options.noise, options.movesAverages]);
          return inner.step(part, options);
        },
      };
    };
    createTrainStep({ compiled, optimizer, accumulate: 2, seed: 9, executor: executor as never }).run(
      batch,
      clockAt(4, 2, 5),
    );
    expect(seen).toEqual([
      [4, { seed: 9, step: 4, part: 0 }, false],
      [4, { seed: 9, step: 4, part: 1 }, true],
    ]);
    const names = updates.flatMap((update) => [...update.keys()]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('is included in the memory prediction: smaller activations, plus the accumulated gradients', () => {
    const { compiled } = compileFour();
    const weights = [...compiled.parameters.values()].filter(({ kind }) => kind === 'weight');
    const held = weights.reduce((sum, { size }) => sum + 4 * size, 0);
    const one = compiled.predict(64);
    const eight = compiled.predict(64, { accumulate: 8 });
    const slice = 4 * 8 * 6 * 6 * 2 + 4 * 8;
    // Those of the seven micro-batches before the last, of which four modules have one each.
    const losses = 7 * 4 * 4;
    expect(eight.stepBytes).toBe(compiled.predict(8).stepBytes + held + slice + losses);
    expect(eight.peakBytes).toBeLessThan(one.peakBytes);
  });
});

describe('createTrainStep', () => {
  it('passes gradients to the optimizer per head and module, or all at once if it sets needsWholeStep', () => {
    const { compiled } = compileFour();
    const [groups, whole] = [recorder(), recorder({ needsWholeStep: true })];
    for (const { optimizer } of [groups, whole]) {
      const { losses } = createTrainStep({ compiled, optimizer }).run(randomBatch(1), startOfTraining);
      tf.dispose([...losses.values()]);
    }
    expect(groups.updates).toHaveLength(8);
    expect(whole.updates).toHaveLength(1);
    expect([...whole.gradients().keys()].sort()).toEqual([...groups.gradients().keys()].sort());
  });

  it.each([1, 2, 4])('clips the gradients of all modules and losses together, after %i micro-batches', (accumulate) => {
    const compiled = compilePlain();
    const batch = randomBatch(3);
    const gradientsOf = (wrap: (optimizer: Optimizer) => Optimizer, parts: number) => {
      const { optimizer, gradients } = recorder();
      const step = createTrainStep({ compiled, optimizer: wrap(optimizer), accumulate: parts });
      tf.dispose([...step.run(batch, startOfTraining).losses.values()]);
      return gradients();
    };
    const plain = gradientsOf((optimizer) => optimizer, 1);
    const norm = Math.hypot(...[...plain.values()].flat());
    const before = tf.memory().numTensors;
    const below = gradientsOf((optimizer) => clipped(optimizer, { norm: norm / 4 }), accumulate);
    const above = gradientsOf((optimizer) => clipped(optimizer, { norm: norm * 4 }), accumulate);
    expect(tf.memory().numTensors).toBe(before);
    expect([...below.keys()].sort()).toEqual([...plain.keys()].sort());
    for (const [name, values] of plain) {
      values.forEach((value, index) => {
        expect(Math.abs((below.get(name)?.[index] ?? Number.NaN) - value / 4), name).toBeLessThan(1e-6);
        expect(Math.abs((above.get(name)?.[index] ?? Number.NaN) - value), name).toBeLessThan(1e-6);
      });
    }
    batch.dispose();
  });

  it('predicts less memory for an optimizer that needs whole steps than with all gradients at every moment', () => {
    const { compiled } = compileFour();
    const optimizer = clipped(sgd({ learningRate: 0.1 }), { norm: 1 });
    const predict = (allGradients: boolean) => compiled.predict(64, { optimizer, allGradients }).stepBytes;
    expect(predict(false)).toBeLessThan(predict(true));
    expect(predict(false)).toBeGreaterThanOrEqual(compiled.predict(64).stepBytes);
  });

  it('runs hooks after the update with clock, parameters and state, and uses the rate of the schedule', () => {
    const contexts: StepContext[] = [];
    const hook = {
      name: 'count',
      afterStep(context: StepContext) {
        contexts.push(context);
        context.state.set('steps', Number(context.state.get('steps')) + 1);
        const total = context.state.tensor('total');
        total.assign(tf.add(total.value, 1));
      },
    };
    const { compiled } = compileFour((plan) => ({
      ...plan,
      hooks: [hook],
      state: [
        { name: 'steps', initial: 0 },
        { name: 'total', shape: [2], initializer: () => new Float32Array(2) },
      ],
    }));
    const learningRate = { config: {}, rate: ({ step }: { step: number }) => 0.1 * (step + 1) };
    const trainStep = createTrainStep({ compiled, optimizer: sgd({ learningRate: 1 }), learningRate });
    const batch = randomBatch(1);
    const rates = [0, 1, 2].map((step) => trainStep.run(batch, clockAt(step, 1, 3)).learningRate);
    expect(rates).toEqual([0.1, 0.2, 0.1 * 3]);
    expect(contexts.map(({ clock }) => clock.step)).toEqual([0, 1, 2]);
    expect(compiled.state.values()).toEqual({ steps: 3 });
    expect([...(compiled.parameters.get('state.total')?.value.dataSync() ?? [])]).toEqual([3, 3]);
  });

  it.each([Number.NaN, -1, undefined, '0.1'])('rejects the rate %s of a schedule, with schedule and step', (rate) => {
    const { compiled } = compileFour();
    const learningRate = { config: { schedule: 'mine' }, rate: () => rate as number };
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 1 }), learningRate });
    expect(() => step.run(randomBatch(1), clockAt(2, 1, 3))).toThrow(
      `learning rate of schedule {"schedule":"mine"} is ${typeof rate === 'string' ? `'${rate}'` : rate} at step 2 of 3`,
    );
    const constant = () =>
      createTrainStep({ compiled, optimizer: sgd({ learningRate: 1 }), learningRate: rate as number });
    if (typeof rate === 'number') expect(constant).toThrow(/'learningRate' is (NaN|-1); allowed: finite numbers ≥ 0/);
  });

  it.each([Number.NaN, -1, undefined])('rejects the weight %s of a scheduled objective, with its ID', (weight) => {
    const { compiled } = compileFour((plan) => ({
      ...plan,
      objectives: plan.objectives.map((one) =>
        one.id === 'module1' ? { ...one, weight: () => weight as number } : one,
      ),
    }));
    const step = createTrainStep({ compiled, optimizer: sgd({ learningRate: 1 }) });
    expect(() => step.run(randomBatch(1), clockAt(2, 1, 3))).toThrow(
      `The weight of objective 'module1' is ${weight} at step 2 of 3; its function must return finite numbers ≥ 0.`,
    );
  });

  it.each([
    // The average is updated with the network's old weight, and is then trained itself.
    ['beforeUpdate', (before: number) => before - 0.5],
    // The average is trained, and is then updated with the network's new weight.
    ['afterUpdate', (_before: number, after: number) => after],
  ] as const)('updates averages that are also trained: %s', (when, expected) => {
    const live = 'b3.bn1.bias';
    const { compiled } = compileFour((plan) => ({
      ...plan,
      objectives: plan.objectives.map((objective) => {
        if (objective.id !== 'module1') return objective;
        const factory: HeadFactory = {
          name: 'averaging',
          build: (context, scope) => {
            const head = headFactory.build(context, scope);
            const average = scope.parameter('copy', [4], () => new Float32Array(4).fill(9));
            return {
              ...head,
              parameters: [...head.parameters, average],
              averages: [{ average, live, momentum: 0, when }],
              evaluate: (...given) => {
                const result = head.evaluate(...given);
                return { ...result, parameters: new Map([...result.parameters, [average, tf.ones([4])]]) };
              },
            };
          },
        };
        return { ...objective, head: { key: 'module1', factory } };
      }),
    }));
    const value = (name: string) => [...(compiled.parameters.get(name)?.value.dataSync() ?? [])];
    const optimizer = sgd({ learningRate: 0.5, momentum: 0, weightDecay: 0 });
    const before = value(live);
    createTrainStep({ compiled, optimizer }).run(randomBatch(1), startOfTraining);
    const after = value(live);
    expect(after).not.toEqual(before);
    value('heads.module1.copy').forEach((found, index) => {
      expect(found).toBeCloseTo(expected(before[index] ?? Number.NaN, after[index] ?? Number.NaN), 6);
    });
  });

  it('runs with another executor', () => {
    const { compiled } = compileFour();
    const [ours, literal] = [recorder(), recorder()];
    createTrainStep({ compiled, optimizer: ours.optimizer }).run(randomBatch(1), startOfTraining);
    const step = createTrainStep({ compiled, optimizer: literal.optimizer, executor: createLiteralExecutor });
    step.run(randomBatch(1), startOfTraining);
    expect([...literal.gradients().keys()].sort()).toEqual([...ours.gradients().keys()].sort());
  });

  it('rejects what is no optimizer, and a plan without a scope', () => {
    const { compiled } = compileFour();
    const create = (optimizer: unknown) => () => createTrainStep({ compiled, optimizer: optimizer as Optimizer });
    expect(create('sgd')).toThrow(/^The optimizer is 'sgd'; allowed: what sgd, adam or adamw of @localgrad\/nn\/opt/);
    expect(create(sgd)).toThrow(/^The optimizer is a function; allowed/);
    const { network, plan } = compiled;
    expect(() => compilePlan(network, plan, undefined as never)).toThrow(
      "compilePlan: option 'scope' is undefined; allowed: the scope in which the backbone was built.",
    );
  });

  it('reports a missing learning rate and an empty list of batches', () => {
    const { compiled } = compileFour();
    const { optimizer } = recorder();
    expect(() => createTrainStep({ compiled, optimizer, accumulate: 0 })).toThrow(
      /'accumulate' is 0; allowed: integers ≥ 1/,
    );
    expect(() => createTrainStep({ compiled, optimizer: { ...optimizer, config: {} } })).toThrow(/'learningRate'/);
    expect(() => createTrainStep({ compiled, optimizer }).run([], startOfTraining)).toThrow(/empty list/);
  });
});
