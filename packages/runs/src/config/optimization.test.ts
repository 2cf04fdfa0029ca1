import { createCatalog, standardCatalog } from '@localgrad/catalog';
import type { JsonObject, Optimizer } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import { checkNames } from './check-names.js';
import { optimizerOf, scheduleOf } from './optimization.js';
import { type RunConfigInput, runConfigSchema } from './run-config.js';

const own: Optimizer = { ...standardCatalog.optimizer('sgd', { learningRate: 1 }) };
const catalog = standardCatalog.with({ optimizers: { own: (options: JsonObject) => ({ ...own, config: options }) } });

const optimizer = (config: RunConfigInput) => optimizerOf(runConfigSchema.parse(config), catalog).config;
const schedule = (config: RunConfigInput) => scheduleOf(runConfigSchema.parse(config), catalog).config;

describe('optimizerOf', () => {
  it.each<[RunConfigInput, JsonObject]>([
    [{}, { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 }],
    [
      { momentum: 0, learningRate: 0.2 },
      { learningRate: 0.2, momentum: 0, nesterov: false },
    ],
    [{ optimizer: 'sgd(momentum: 0.5, weightDecay: 0)' }, { momentum: 0.5, nesterov: true, weightDecay: 0 }],
    [
      { optimizer: 'sgd(momentum: 0)', weightDecay: 0.01 },
      { momentum: 0, nesterov: false, weightDecay: 0.01 },
    ],
    [
      { optimizer: 'adamw(betas: [0.9, 0.99])', learningRate: 0.001 },
      { optimizer: 'adamw', learningRate: 0.001, betas: [0.9, 0.99], weightDecay: 0.01 },
    ],
    [
      {
        optimizer:
          'sgd(decay: matrices, parameters: [(match: *.bias, weightDecay: 0), (match: heads.*, learningRateScale: 2)])',
      },
      {
        decay: 'matrices',
        parameters: [
          { match: '*.bias', weightDecay: 0 },
          { match: 'heads.*', learningRateScale: 2 },
        ],
      },
    ],
    [
      { optimizer: 'own(beta: 0.99)', learningRate: 3 },
      { learningRate: 3, beta: 0.99 },
    ],
  ])('creates the optimizer of %j', (config, expected) => {
    expect(optimizer(config)).toMatchObject(expected);
  });

  it('clips the gradients of any optimizer', () => {
    expect(optimizer({ clipNorm: 1 })).toMatchObject({ optimizer: 'sgd', momentum: 0.9, clipNorm: 1 });
    expect(optimizer({ optimizer: 'own', clipNorm: 0.5 })).toEqual({ learningRate: 0.1, clipNorm: 0.5 });
    expect(optimizer({})).not.toHaveProperty('clipNorm');
  });

  it('does not pass sgd options to other optimizers', () => {
    expect(optimizer({ optimizer: 'own' })).toEqual({ learningRate: 0.1 });
  });

  it('rejects options without an effect, and options that are set twice', () => {
    expect(() => optimizer({ optimizer: 'own', weightDecay: 0.1 })).toThrow(
      "weightDecay: belongs to optimizer 'sgd' and has no effect on 'own'. Options of 'own' go into its expression: \"own(weightDecay: 0.1)\".",
    );
    expect(() => optimizer({ optimizer: 'adam', momentum: 0.5 })).toThrow(
      "momentum: belongs to optimizer 'sgd' and has no effect on 'adam'. Options of 'adam': learningRate, betas, epsilon, weightDecay, decay, parameters.",
    );
    expect(() => optimizer({ optimizer: 'sgd(momentum: 0.5)', momentum: 0.6 })).toThrow(
      "momentum: also set in the optimizer 'sgd(momentum: 0.5)'; remove one of them.",
    );
    expect(() => optimizer({ optimizer: 'own(learningRate: 1)' })).toThrow("'learningRate' is set twice");
  });
});

describe('scheduleOf', () => {
  it.each<[RunConfigInput, JsonObject]>([
    [{}, { schedule: 'cosine', learningRate: 0.1, warmup: 0.05 }],
    [{ warmup: 0.2 }, { schedule: 'cosine', learningRate: 0.1, warmup: 0.2 }],
    [{ schedule: 'cosine(warmup: 0.1)' }, { schedule: 'cosine', learningRate: 0.1, warmup: 0.1 }],
    [
      { schedule: 'stepDecay(milestones: [2, 4])', learningRate: 1 },
      { schedule: 'stepDecay', learningRate: 1, milestones: [2, 4], factor: 0.1 },
    ],
  ])('creates the schedule of %j', (config, expected) => {
    expect(schedule(config)).toEqual(expected);
  });

  it.each(['constant', 'stepDecay', 'epochCosine'])('rejects a warm-up with %s, which does not support it', (name) => {
    expect(() => schedule({ schedule: name, warmup: 0.1 })).toThrow(
      `warmup: schedule '${name}' has no warm-up; allowed with: cosine.`,
    );
  });
});

describe('checkNames', () => {
  it.each<[RunConfigInput, string, string]>([
    [{ method: 'dlg' }, 'method', "'dlg': Unknown method 'dlg'. Did you mean 'dgl'?"],
    [{ backbone: 'resnet33' }, 'backbone', "'resnet33'; allowed: 6n + 2 up to 2000"],
    [{ dataset: 'minst' }, 'dataset', "'minst': Unknown data set 'minst'."],
    [{ optimizer: 'sgd(friction: 1)' }, 'optimizer', "Unknown option of sgd 'friction'."],
    [{ schedule: 'cosin' }, 'schedule', "'cosin': Unknown schedule 'cosin'."],
    [{ schedule: 'constant', warmup: 0.1 }, 'warmup', "schedule 'constant' has no warm-up"],
  ])('names the key of %j', async (config, key, problem) => {
    await expect(checkNames(runConfigSchema.parse(config))).rejects.toMatchObject({
      details: { key, problem: expect.stringContaining(problem) },
    });
  });

  it("accepts names from the caller's catalog", async () => {
    const config = runConfigSchema.parse({ optimizer: 'own' });
    await checkNames(config, { catalog });
    await expect(checkNames(config, { catalog: createCatalog({}) })).rejects.toThrow(/^method: 'dgl': Unknown method/);
  });
});
