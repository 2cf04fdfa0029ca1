import { backprop } from '@localgrad/backprop';
import type { LocalLearningMethod, PhaseRule } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { describePlan } from '@localgrad/engine';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { type TrainingCheckpoint, train } from './index.js';
import { setUp, toyBatches } from './trainer.fixture.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The first module for 5 of 8 steps, then the rest. */
const phases: PhaseRule = {
  phases: [
    { name: 'first', objectives: ['module0'], frozen: [] },
    { name: 'rest', objectives: ['final'], frozen: [0] },
  ],
  phaseAt: ({ step }) => (step < 5 ? 'first' : 'rest'),
};

const inPhases: LocalLearningMethod = {
  ...dgl(),
  plan: (network) => ({ ...dgl().plan(network), phases }),
};

const training = { learningRate: 0.05, batches: toyBatches(16, 4), epochs: 2 };

it('records the work of a step, for end-to-end training three forward passes', async () => {
  const { compiled, optimizer, dispose } = setUp(backprop(), 1);
  const { epochs } = await train({ ...training, compiled, optimizer });
  const { totals } = describePlan(compiled, 4);
  expect(totals.unitsOfWork).toBe(3);
  const [first, second] = epochs.map((epoch) => epoch.multiplyAccumulatesPerImage);
  expect(first).toBeGreaterThan(0);
  expect(second).toBe(first);
  dispose();
});

it('records the mean over an epoch whose steps are of different phases, also after a resumption within it', async () => {
  const { compiled, optimizer, dispose } = setUp(inPhases, 2);
  const saved: TrainingCheckpoint[] = [];
  const save = async (checkpoint: TrainingCheckpoint) => void saved.push(checkpoint);
  const straight = await train({ ...training, compiled, optimizer, checkpoints: { everySteps: 6, save } });
  const { phases: described = [] } = describePlan(compiled, 4);
  const [first = 0, rest = 0] = described.map(({ unitsOfWork }) => unitsOfWork);
  expect(rest).not.toBe(first);
  const works = straight.epochs.map((epoch) => epoch.multiplyAccumulatesPerImage ?? 0);
  expect((works[1] ?? 0) / (works[0] ?? 1)).toBeCloseTo((first + 3 * rest) / 4 / first, 12);
  const middle = saved.find(({ progress }) => progress.step === 6);
  expect(middle?.progress.batchesDone).toBe(2);
  const resumed = await train({
    ...training,
    compiled,
    optimizer,
    ...(middle === undefined ? {} : { resume: middle }),
  });
  expect(resumed.epochs.map((epoch) => epoch.multiplyAccumulatesPerImage)).toEqual(works);
  dispose();
});

it('omits the work of an epoch whose beginning an earlier version trained', async () => {
  const { compiled, optimizer, dispose } = setUp(backprop(), 1);
  const saved: TrainingCheckpoint[] = [];
  const save = async (checkpoint: TrainingCheckpoint) => void saved.push(checkpoint);
  await train({ ...training, compiled, optimizer, checkpoints: { everySteps: 2, save } });
  const { progress, tensors } = saved[0] ?? expect.fail('no checkpoint');
  const { epochMultiplyAccumulates: _, ...earlier } = progress;
  let later: TrainingCheckpoint | undefined;
  const resume = { progress: earlier, tensors };
  const keep = async (checkpoint: TrainingCheckpoint) => {
    later ??= JSON.parse(JSON.stringify({ progress: checkpoint.progress }));
  };
  const { epochs } = await train({
    ...training,
    compiled,
    optimizer,
    resume,
    checkpoints: { everySteps: 3, save: keep },
  });
  expect(epochs.map((epoch) => typeof epoch.multiplyAccumulatesPerImage)).toEqual(['undefined', 'number']);
  expect(later?.progress).not.toHaveProperty('epochMultiplyAccumulates');
  dispose();
});
