import type { CompiledPlan, StepResult } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { LossLog } from './loss-log.js';

beforeAll(() => tf.setBackend('cpu'));

const compiled = { objectives: [], network: { modules: [] } } as unknown as CompiledPlan;

function step(loss: number, term: number): StepResult {
  const losses = new Map([['final', tf.scalar(loss)]]);
  return { losses, terms: new Map([['final/part', tf.scalar(term)]]) };
}

describe('LossLog', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.25])(
    'returns the same means with and without a JSON checkpoint in between, for a term of %s',
    async (term) => {
      const before = tf.memory().numTensors;
      const straight = new LossLog(compiled);
      straight.add(1, step(1, term));
      straight.add(2, step(2, 0.5));
      const first = new LossLog(compiled);
      first.add(1, step(1, term));
      const state = JSON.parse(JSON.stringify(await first.state()));
      const second = new LossLog(compiled, state);
      second.add(2, step(2, 0.5));
      const reading = await second.read();
      expect(reading).toEqual(await straight.read());
      expect(reading.terms['final/part']).toBe((term + 0.5) / 2);
      expect(second.endEpoch()).toEqual({ final: 1.5 });
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('reads null in older checkpoints as NaN', async () => {
    const pending = [{ id: 'final/part', isTerm: true, values: [null] }];
    const log = new LossLog(compiled, { firstStep: 1, steps: 1, pending, epoch: [] } as never);
    expect((await log.read()).terms['final/part']).toBeNaN();
  });

  it('names the step of a loss that is not finite, of an objective that has none in every step', async () => {
    const lossesOf = (values: Record<string, number>): StepResult => {
      const losses = new Map(Object.entries(values).map(([id, value]) => [id, tf.scalar(value)]));
      return { losses, terms: new Map() };
    };
    const log = new LossLog(compiled);
    log.add(7, lossesOf({ final: 1 }));
    log.add(8, lossesOf({ final: 1 }));
    log.add(9, lossesOf({ final: 1, paced: 2 }));
    log.add(10, lossesOf({ final: 1 }));
    log.add(11, lossesOf({ final: 1, paced: Number.NaN }));
    await expect(log.read()).rejects.toThrow(/objective 'paced' .* became NaN at step 11/);
    log.dispose();
  });
});
