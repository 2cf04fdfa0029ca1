import { clockAt } from '@localgrad/core';
import { describe, expect, it } from 'vitest';
import {
  constantRate,
  cosine,
  createSchedule,
  epochCosine,
  type PolynomialOptions,
  polynomial,
  type StepDecayOptions,
  stepDecay,
} from './schedule.js';

const at = (epoch: number, epochs: number) => clockAt(epoch - 1, epochs, 1);

describe('epochCosine', () => {
  it.each([
    [
      400,
      0.8,
      [
        [1, 0.01],
        [2, 0.088995],
        [5, 0.325877],
        [10, 0.71989],
        [11, 0.798508],
        [100, 0.682843],
        [200, 0.4],
        [300, 0.117157],
        [400, 0],
      ],
    ],
    [
      160,
      0.8,
      [
        [2, 0.088969],
        [10, 0.714083],
        [11, 0.790706],
        [80, 0.4],
      ],
    ],
    [
      400,
      0.1,
      [
        [2, 0.018999],
        [10, 0.090861],
        [11, 0.099814],
      ],
    ],
  ] as const)('matches the published values for E = %i, lr %f', (epochs, learningRate, golden) => {
    const schedule = epochCosine({ learningRate });
    for (const [epoch, rate] of golden) expect(schedule.rate(at(epoch, epochs))).toBeCloseTo(rate, 6);
  });
});

it('epochCosine starts at the peak without warm-up, and never reaches 0', () => {
  const schedule = epochCosine({ learningRate: 0.4, warmupEpochs: 0 });
  const rates = [1, 2, 46, 90].map((epoch) => schedule.rate(at(epoch, 90)));
  // 0.2·(1 + cos(π·e/90)) for e = 0, 1, 45, 89.
  expect(rates).toEqual([0.4, 0.39987816, 0.2, 0.00012184].map((rate) => expect.closeTo(rate, 7)));
  expect(createSchedule(schedule.config).rate(at(2, 90))).toBe(rates[1]);
});

it('epochCosine blends the rate in over the given number of epochs', () => {
  const schedule = epochCosine({ learningRate: 0.8, warmupEpochs: 2 });
  // c(e) = 0.4·(1 + cos(π·e/4)): 0.68284, 0.4, 0.11716, 0. Epoch 1: 0.01; epoch 2: (c(2) + 0.01)/2.
  const rates = [0.01, 0.205, 0.11715729, 0].map((rate) => expect.closeTo(rate, 7));
  expect([1, 2, 3, 4].map((epoch) => schedule.rate(at(epoch, 4)))).toEqual(rates);
});

it('epochCosine records its warm-up if it is not ten epochs', () => {
  const configOf = (warmupEpochs: number) => epochCosine({ learningRate: 1, warmupEpochs }).config;
  expect(configOf(10)).toEqual({ schedule: 'epochCosine', learningRate: 1 });
  expect(epochCosine({ learningRate: 1 }).config).toEqual(configOf(10));
  for (const warmupEpochs of [0, 9, 11]) expect(configOf(warmupEpochs)).toHaveProperty('warmupEpochs', warmupEpochs);
});

it.each([-1, 0.5, Number.NaN])('epochCosine rejects a warm-up of %f epochs', (warmupEpochs) => {
  expect(() => epochCosine({ learningRate: 0.1, warmupEpochs })).toThrow(/'warmupEpochs' is .*whole numbers ≥ 0/);
});

it('cosine warms up, peaks and ends near zero', () => {
  const schedule = cosine({ learningRate: 0.1 });
  const rate = (step: number) => schedule.rate(clockAt(step, 1, 100));
  expect([0, 1, 4, 5].map(rate)).toEqual([0.02, 0.04, 0.1, 0.1].map((value) => expect.closeTo(value, 12)));
  expect(rate(99)).toBeLessThan(1e-4);
  expect(cosine({ learningRate: 0.1, warmup: 0 }).rate(clockAt(0, 1, 10))).toBe(0.1);
});

it('cosine is 0 after the last step, however short the decay', () => {
  const after = (warmup: number, steps: number) => cosine({ learningRate: 1, warmup }).rate(clockAt(steps, 1, steps));
  expect(after(0.05, 100)).toBe(0);
  // One step of decay; none at all.
  expect(after(0.5, 2)).toBe(0);
  expect(after(0.9, 1)).toBe(1);
});

it.each([-0.5, 1, 1.5, Number.NaN])('cosine rejects a warm-up of %f of the steps', (warmup) => {
  expect(() => cosine({ learningRate: 0.1, warmup })).toThrow(/'warmup' is .*numbers in \[0, 1\)/);
});

it('stepDecay multiplies at its milestones', () => {
  const schedule = stepDecay({ learningRate: 1 });
  expect([79, 80, 119, 120].map((epoch) => schedule.rate(at(epoch, 160)))).toEqual(
    [1, 0.1, 0.1, 0.01].map((value) => expect.closeTo(value, 12)),
  );
});

it('stepDecay can decay from the first epoch on', () => {
  expect(stepDecay({ learningRate: 1, milestones: [1], factor: 0.5 }).rate(at(1, 2))).toBe(0.5);
});

it('stepDecay starts again after each period', () => {
  const schedule = stepDecay({ learningRate: 1, milestones: [2, 3], factor: 0.5, period: 3 });
  expect([1, 2, 3, 4, 5, 6, 7].map((epoch) => schedule.rate(at(epoch, 9)))).toEqual([1, 0.5, 0.25, 1, 0.5, 0.25, 1]);
  expect(createSchedule(schedule.config)).toMatchObject({ config: schedule.config });
  expect(schedule.config).toMatchObject({ period: 3 });
  expect(stepDecay({ learningRate: 1 }).config).not.toHaveProperty('period');
});

it.each([
  [{ period: 100 }, /'period' is 100; allowed: integers from 120, the last milestone/],
  [{ milestones: [2], period: 2.5 }, /'period' is 2\.5/],
  [{ factor: 0 }, /'factor' is 0.*numbers > 0/],
  [{ factor: -0.5 }, /'factor'/],
  [{ milestones: [0] }, /'milestones'.*a list of epochs, from 1/],
  [{ milestones: [-1] }, /'milestones'/],
  [{ milestones: [2, 2.5] }, /'milestones'/],
  [{ milestones: 2 }, /'milestones'/],
  [{ gamma: 0.5 }, /'gamma'.*factor/],
])('stepDecay rejects %j', (options, message) => {
  expect(() => stepDecay({ learningRate: 1, ...options } as StepDecayOptions)).toThrow(message);
});

it('polynomial decays as in mmsegmentation', () => {
  // mmcv's PolyLrUpdaterHook: (0.015 − 1e-4)·(1 − i/40000)^0.9 + 1e-4 for i = 0, 1, 20000, 39999.
  const schedule = polynomial({ learningRate: 0.015, end: 1e-4 });
  const rates = [0, 1, 20_000, 39_999].map((step) => schedule.rate(clockAt(step, 40, 1000)));
  const wanted = [0.015, 0.01499966474958093, 0.008084712295895384, 0.00010107481142990293];
  expect(rates).toEqual(wanted.map((rate) => expect.closeTo(rate, 10)));
  expect(polynomial({ learningRate: 1, power: 1 }).rate(clockAt(3, 1, 4))).toBe(0.25);
});

it.each([
  [{ power: 0 }, /'power' is 0; allowed: numbers > 0/],
  [{ power: Number.NaN }, /'power'/],
  [{ end: 2 }, /'end' is 2; allowed: numbers from 0 to 1, the learning rate/],
  [{ end: -1 }, /'end'/],
  [{ gamma: 0.5 }, /'gamma'.*power/],
])('polynomial rejects %j', (options, message) => {
  expect(() => polynomial({ learningRate: 1, ...options } as PolynomialOptions)).toThrow(message);
});

describe.each(Object.entries({ constantRate, epochCosine, cosine, stepDecay, polynomial }))('%s', (_, create) => {
  it.each([-1, -1e-9, Number.NaN, Number.POSITIVE_INFINITY])('rejects a learning rate of %f', (learningRate) => {
    expect(() => create({ learningRate })).toThrow(/'learningRate' is .*numbers ≥ 0/);
  });

  it('accepts a learning rate of 0', () => {
    expect(create({ learningRate: 0 }).config).toMatchObject({ learningRate: 0 });
  });
});

describe('createSchedule', () => {
  it.each([
    constantRate({ learningRate: 0.1 }),
    epochCosine({ learningRate: 0.8 }),
    cosine({ learningRate: 0.1, warmup: 0.1 }),
    stepDecay({ learningRate: 0.1, milestones: [2, 3], factor: 0.2 }),
    polynomial({ learningRate: 0.1, power: 2, end: 0.01 }),
  ])('rebuilds $config.schedule from its config', (schedule) => {
    const twin = createSchedule(JSON.parse(JSON.stringify(schedule.config)));
    expect(twin.config).toEqual(schedule.config);
    for (const epoch of [1, 2, 3]) expect(twin.rate(at(epoch, 3))).toBe(schedule.rate(at(epoch, 3)));
  });

  it('lists the allowed names and options', () => {
    expect(() => createSchedule({ schedule: 'cosin', learningRate: 1 })).toThrow(/Did you mean 'cosine'/);
    expect(() => createSchedule({ schedule: 'constructor', learningRate: 1 })).toThrow(/constructor.*stepDecay/);
    expect(() => createSchedule({ schedule: 'cosine', learningRate: 1, warm: 0 })).toThrow(/warmup/);
    expect(() => cosine({ learningRate: -1 })).toThrow(/learningRate/);
    expect(() => stepDecay({ learningRate: 1, milestones: [0.5] })).toThrow(/milestones/);
  });
});
