import { at } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import type { TrainingCheckpoint } from '@localgrad/train';
import { describe, expect, it } from 'vitest';
import { type FixtureRun, runFixture } from './run.fixture.js';
import { useWorkers } from './workers.fixture.js';

const workers = useWorkers();

const deaths = Number(process.env.LOCALGRAD_TEST_KILLS ?? 30);
const epochs = 3;
const steps = 5 * epochs;
/** So that the deaths cover the run. */
const mostSteps = Math.round((2 * steps) / deaths);
const config = { method: 'mlaan(dgl)', delay: 1 };
const placements = [2, 3, '0 1-3', '0-1 2 3', 4];

/** Runs with a checkpoint after each step. */
async function run(options: Omit<FixtureRun, 'config'> & Partial<Pick<FixtureRun, 'config'>>) {
  const saved: TrainingCheckpoint[] = [];
  const checkpoints = { everySteps: 1, save: (one: TrainingCheckpoint) => void saved.push(one) };
  const ended = runFixture({ config, epochs, checkpoints, ...options });
  return { saved, ended: await ended.catch((error: unknown) => error) };
}

/** Losses and evaluations of all epochs, without times. */
function recordsOf({ progress }: TrainingCheckpoint): unknown {
  return progress.records.map(({ epoch, losses, testLoss, testMetrics }) => ({ epoch, losses, testLoss, testMetrics }));
}

describe('a run on several workers', () => {
  it(`loses nothing when random workers die ${deaths} times`, async () => {
    const sequential = await run({});
    const random = createRandom(5);
    let resume: TrainingCheckpoint | undefined;
    for (let death = 0; death < deaths; death++) {
      const done = resume?.progress.step ?? 0;
      const step = Math.min(steps - 1, done + random.integer(1 + mostSteps));
      const { saved, ended } = await run({
        config: { ...config, death: { step, how: 'exit', module: random.integer(4) } },
        workers: {
          placement: at(placements, random.integer(placements.length), 'placement'),
          program: workers.program,
        },
        ...(resume === undefined ? {} : { resume }),
      });
      expect(ended).toEqual(expect.objectContaining({ code: 'backend-lost' }));
      resume = saved.at(-1) ?? resume;
    }
    expect(resume?.progress.step).toBeGreaterThan(steps / 2);
    const last = await run({
      ...(resume === undefined ? {} : { resume }),
      workers: { placement: 2, program: workers.program },
    });
    expect(last.ended).toEqual(expect.objectContaining({ tensors: expect.any(Array) }));
    const [expected, found] = [sequential, last].map(({ saved }) => at(saved, saved.length - 1, 'checkpoint'));
    expect(found?.tensors).toEqual(expected?.tensors);
    expect(expected === undefined ? [] : recordsOf(expected)).toEqual(found === undefined ? [] : recordsOf(found));
    expect(found?.progress.resumptions).toBeGreaterThan(steps / 4);
  }, 1_200_000);
});
