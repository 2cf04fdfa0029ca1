import { standardCatalog } from '@localgrad/catalog';
import type { Clock, LocalLearningMethod, TrainingPlan } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BuiltPlan, buildPlan } from './build-plan.js';
import { resolveConfig } from './config/resolve-config.js';
import { untrainedNotice } from './untrained-notice.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const greedy = standardCatalog.method('greedy');

/** The notice about a method on three modules. */
async function noticeOf(method: string, change: (plan: TrainingPlan) => TrainingPlan = (plan) => plan, epochs = 4) {
  const mine: LocalLearningMethod = {
    ...greedy,
    name: 'mine',
    plan: (network) => ({ ...change(greedy.plan(network)), method: 'mine' }),
  };
  const catalog = standardCatalog.with({ methods: { mine: () => mine } });
  const config = resolveConfig({ method, backbone: 'resnet14', width: 2, modules: 3 });
  const plan: BuiltPlan = await buildPlan(config, { imageShape: [8, 8, 1], classes: 3 }, { catalog, zeros: true });
  try {
    return untrainedNotice(plan.compiled, epochs, 5);
  } finally {
    plan.dispose();
  }
}

const first = (count: number) => (plan: TrainingPlan) => ({ ...plan, objectives: plan.objectives.slice(0, count) });

/** Trains one module after the other, each for one epoch. */
const inEpochs = (plan: TrainingPlan): TrainingPlan => ({
  ...plan,
  phases: {
    phases: plan.objectives.map(({ id }) => ({ name: id, objectives: [id] })),
    phaseAt: ({ epoch }: Clock) => plan.objectives[Math.min(epoch, plan.objectives.length) - 1]?.id ?? '',
  },
});

describe('untrainedNotice', () => {
  const methods = standardCatalog.names('methods').filter((name) => name !== 'hpff');
  const decorators = standardCatalog.names('decorators').filter((name) => name !== 'deep-supervision');
  const wrapped = decorators.map((name) => `${name}(dgl)`);
  it.each([...methods, ...wrapped, 'deep-supervision(dgl, after: 0)'])(
    'has nothing to say about %s',
    async (method) => {
      expect(await noticeOf(method)).toBeUndefined();
    },
  );

  it('names the modules that no loss trains, and the classifier', async () => {
    expect(await noticeOf('mine', first(2))).toBe(
      "Not trained: module 2 and the classifier, which no loss of 'mine' trains. These weights keep their initial values.",
    );
    expect(await noticeOf('mine', first(1))).toMatch(/^Not trained: modules 1, 2 and the classifier, which no loss/);
  });

  it('finds that the weights of HPFF leave the first of three modules untrained', async () => {
    expect(await noticeOf('hpff')).toMatch(/^Not trained: module 0, which no loss of 'hpff' trains\./);
  });

  it('names the modules that no phase trains', async () => {
    const frozen = (plan: TrainingPlan): TrainingPlan => ({
      ...plan,
      phases: { phases: [{ name: 'all', frozen: [0] }], phaseAt: () => 'all' },
    });
    expect(await noticeOf('mine', frozen)).toMatch(/^Not trained: module 0, which no phase of 'mine' trains\./);
  });

  it('names the modules whose phases a run is too short for', async () => {
    expect(await noticeOf('mine', inEpochs, 3)).toBeUndefined();
    expect(await noticeOf('mine', inEpochs, 2)).toBe(
      "Not trained: module 2 and the classifier, since the phases of 'mine' that train this do not occur in 10 steps. These weights keep their initial values.",
    );
    const withState = (plan: TrainingPlan) => ({ ...inEpochs(plan), state: [{ name: 'seen', initial: 0 }] });
    expect(await noticeOf('mine', withState, 2)).toBeUndefined();
  });
});
