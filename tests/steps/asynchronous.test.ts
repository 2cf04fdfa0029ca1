import { type AsynchronousOptions, asynchronous } from '@localgrad/asynchronous';
import { dgl } from '@localgrad/dgl';
import { infopro } from '@localgrad/infopro';
import { lam } from '@localgrad/lam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  batchesPerEpoch,
  expectSameBits,
  type InterruptionSetting,
  interruptionSetting,
  runInterrupted,
} from './interrupted-run.fixture.js';

let setting: InterruptionSetting;

beforeAll(async () => {
  setting = await interruptionSetting();
});
afterAll(() => setting.backend.dispose());

describe('a run with asynchronous modules', () => {
  const cases: [AsynchronousOptions, typeof dgl | typeof infopro, number][] = [
    [{ bufferSize: 2, order: 'random' }, infopro, 1],
    [{ bufferSize: 3, order: 'random', sampling: 'random', maxReuse: 2, slow: [{ module: 2, pace: 2 }] }, dgl, 2],
    [{ slow: [{ module: 1, pace: 2 }] }, dgl, 1],
  ];

  it.each(cases)(
    'is bit-identical to an uninterrupted run when it resumes: %j',
    async (options, method, accumulate) => {
      const run = { method: lam(method()), createStep: asynchronous(options), accumulate };
      const straight = await runInterrupted(setting, { ...run, interruptions: [] });
      const interruptions = [2, batchesPerEpoch, batchesPerEpoch + 3];
      const resumed = await runInterrupted(setting, { ...run, interruptions });
      expect(resumed.resumptions).toBe(interruptions.length);
      expectSameBits(resumed.tensors, straight.tensors);
      expect(resumed.metrics).toEqual(straight.metrics);
    },
  );

  it('is bit-identical to a synchronous run with one slot and equal paces', async () => {
    const run = { method: lam(infopro()), interruptions: [3] };
    const synchronous = await runInterrupted(setting, run);
    const actual = await runInterrupted(setting, { ...run, createStep: asynchronous() });
    expectSameBits(actual.tensors, synchronous.tensors);
    expect(actual.metrics).toEqual(synchronous.metrics);
  });

  it('differs from a synchronous run in a random order', async () => {
    const run = { method: dgl(), interruptions: [] };
    const synchronous = await runInterrupted(setting, run);
    const actual = await runInterrupted(setting, { ...run, createStep: asynchronous({ order: 'random' }) });
    expect(actual.metrics).not.toEqual(synchronous.metrics);
  });
});
