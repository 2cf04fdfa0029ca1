import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { at } from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import { Claim, hashOf, noteFailure } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { summaryOf } from '../sweep/summary.fixture.js';
import { runFolderOf, type SweepTask } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { type TaskOutcome, workOn } from '../sweep/work.js';
import { experiment } from './early-stopping.fixture.js';
import { blockedIn, MedianRule } from './median-rule.js';
import { prepareSweep } from './prepare-sweep.js';
import { curveOf } from './run-curve.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-early-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeCurve(run: string, accuracies: readonly number[]): void {
  mkdirSync(run, { recursive: true });
  const lines = accuracies.map((testAccuracy, index) =>
    JSON.stringify({ type: 'epoch-end', epoch: index + 1, testAccuracy }),
  );
  writeFileSync(join(run, 'metrics.jsonl'), `${lines.join('\n')}\n`);
}

describe('the median rule', () => {
  const prepared = async (rule: { graceEpochs: number; peers: number }) => {
    const sweep = await prepareSweep({ experiment: await experiment(rule), folder });
    const runs = sweep.tasks.map((task) => runFolderOf(sweep, task));
    const judge = async (index: number, epoch: number) => {
      const rule = await MedianRule.of(sweep, at(sweep.tasks, index, 'tasks'));
      return rule?.judge(epoch);
    };
    return { runs, judge };
  };

  it('stops a run whose best accuracy is below the median of the earlier runs at the same epoch', async () => {
    const { runs, judge } = await prepared({ graceEpochs: 2, peers: 2 });
    for (const [index, curve] of [
      [0.5, 0.6],
      [0.4, 0.5, 0.9],
      [0.3, 0.55, 0.9],
      [0.54, 0.25],
    ].entries()) {
      writeCurve(at(runs, index, 'runs'), curve);
    }
    // Too few earlier runs, whatever the later ones have reached.
    expect(await judge(0, 2)).toBeUndefined();
    expect(await judge(1, 2)).toBeUndefined();
    // 0.55 against the median of 0.6 and 0.5.
    expect(await judge(2, 2)).toBeUndefined();
    expect(await judge(3, 1)).toBeUndefined();
    expect(await judge(3, 2)).toMatchObject({
      epoch: 2,
      testAccuracy: 0.54,
      reason: '54.00 % after epoch 2, below the median of 3 earlier runs (55.00 %)',
    });
  });

  it('judges by validation images where there are any, and notes the test accuracy', async () => {
    const { runs, judge } = await prepared({ graceEpochs: 1, peers: 2 });
    for (const [index, validationAccuracy] of [0.6, 0.7, 0.5].entries()) {
      const run = at(runs, index, 'runs');
      mkdirSync(run, { recursive: true });
      // On test images the third run would be the best.
      const record = { type: 'epoch-end', epoch: 1, testAccuracy: 0.1 * (index + 1), validationAccuracy };
      writeFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify(record)}\n`);
    }
    expect(await judge(2, 1)).toMatchObject({
      epoch: 1,
      testAccuracy: expect.closeTo(0.3, 12),
      reason: 'validation accuracy 50.00 % after epoch 1, below the median of 2 earlier runs (65.00 %)',
    });
  });

  it('judges by the last evaluation where not every epoch has one', async () => {
    const { runs, judge } = await prepared({ graceEpochs: 1, peers: 2 });
    const accuracies = [
      [undefined, 0.5, undefined, 0.6],
      [undefined, 0.7, undefined, 0.8],
      [undefined, 0.4],
    ];
    for (const [index, curve] of accuracies.entries()) {
      const run = at(runs, index, 'runs');
      mkdirSync(run, { recursive: true });
      const records = curve.map((testAccuracy, epoch) => ({ type: 'epoch-end', epoch: epoch + 1, testAccuracy }));
      writeFileSync(join(run, 'metrics.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    }
    expect(curveOf(at(runs, 0, 'runs')).best).toEqual([undefined, 0.5, 0.5, 0.6]);
    expect(await judge(2, 1)).toBeUndefined();
    expect(await judge(2, 2)).toMatchObject({
      epoch: 2,
      testAccuracy: 0.4,
      reason: '40.00 % after epoch 2, below the median of 2 earlier runs (60.00 %)',
    });
  });

  it('judges by the metric that the runs name, and by no runs of another one', async () => {
    const { runs, judge } = await prepared({ graceEpochs: 1, peers: 2 });
    const metric = { name: 'loss', lowerIsBetter: true };
    const write = (index: number, record: object) => {
      const run = at(runs, index, 'runs');
      mkdirSync(run, { recursive: true });
      writeFileSync(join(run, 'metrics.jsonl'), `${JSON.stringify({ type: 'epoch-end', epoch: 1, ...record })}\n`);
    };
    // By accuracy the last run is the best.
    for (const [index, loss] of [0.25, 0.75, 0.4, 2].entries()) {
      write(index, { metric, testAccuracy: 0.1 * index, testMetrics: { loss } });
    }
    expect(await judge(2, 1)).toBeUndefined();
    expect(await judge(3, 1)).toEqual({
      rule: expect.any(String),
      epoch: 1,
      testAccuracy: null,
      metric: { name: 'loss', test: 2 },
      reason: 'test loss 2.000 after epoch 1, above the median of 3 earlier runs (0.4000)',
    });
    // JSON turns NaN into null.
    write(3, { metric, testAccuracy: 0.3, testMetrics: { loss: null } });
    expect(await judge(3, 1)).toMatchObject({ reason: expect.stringContaining('test loss Infinity after epoch 1') });
    for (const index of [1, 2]) write(index, { testAccuracy: 0.9, testMetrics: { loss: 0.1 } });
    expect(await judge(3, 1)).toBeUndefined();
  });

  it('waits until the earlier runs have reached the epoch or have ended, and ignores a line that is being written', async () => {
    const { runs, judge } = await prepared({ graceEpochs: 2, peers: 2 });
    for (const run of runs.slice(0, 3)) writeCurve(run, [0.5, 0.6]);
    writeCurve(at(runs, 3, 'runs'), [0.1, 0.1]);
    expect(await judge(3, 2)).toMatchObject({ testAccuracy: 0.1 });
    const third = at(runs, 2, 'runs');
    writeCurve(third, [0.5]);
    expect(await judge(3, 2)).toEqual({ awaits: "epoch 2 of 'learningRate 0, seed 1'" });
    appendFileSync(join(third, 'metrics.jsonl'), '{"type":"epoch-end","epoch":2,"testAcc');
    expect(curveOf(third).best).toEqual([0.5]);
    expect(await judge(3, 2)).toHaveProperty('awaits');
    // A run that failed for good will never get there.
    for (let failures = 0; failures < 3; failures++) await noteFailure(third, 'broken');
    expect(await judge(3, 2)).toMatchObject({ reason: expect.stringContaining('2 earlier runs') });
  });

  it('does not wait for runs of values that were not chosen', async () => {
    const text = {
      seeds: 2,
      tuneSeeds: 1,
      tune: { learningRate: [0.3, 0.2] },
      earlyStopping: { graceEpochs: 1, peers: 2 },
    };
    const sweep = await prepareSweep({ experiment: await experiment(undefined, 3, text), folder });
    const [one, two, three, four] = sweep.tasks.map((task) => runFolderOf(sweep, task));
    if (one === undefined || two === undefined || three === undefined || four === undefined)
      throw new Error('no tasks');
    for (const run of [one, two]) writeCurve(run, [0.5, 0.6, 0.6]);
    writeCurve(four, [0.1]);
    const judge = async () => (await MedianRule.of(sweep, at(sweep.tasks, 3, 'tasks')))?.judge(1);
    expect(await judge()).toEqual({ awaits: "epoch 1 of 'search, learningRate 0.3, seed 2'" });
    for (const [run, testAccuracy] of [
      [one, 0.5],
      [two, 0.6],
    ] as const) {
      writeFileSync(join(run, 'summary.json'), JSON.stringify({ ...summaryOf('x'), testAccuracy }));
    }
    expect(await judge()).toMatchObject({ epoch: 1, reason: expect.stringContaining('the median of 2 earlier runs') });
  });

  it('decides at the first epoch that fails the rule, also after the run was trained for longer', async () => {
    const rule = { graceEpochs: 2, peers: 2 };
    const { runs, judge } = await prepared(rule);
    for (const run of runs.slice(0, 2)) writeCurve(run, [0.5, 0.6, 0.6]);
    const third = at(runs, 2, 'runs');
    writeCurve(third, [0.5, 0.5, 0.9]);
    const verdict = await judge(2, 3);
    expect(verdict).toMatchObject({ epoch: 2 });
    // Later runs are compared with it as far as the rule let it get.
    writeFileSync(join(third, 'stopped.json'), JSON.stringify({ formatVersion: 1, ...verdict }));
    expect(curveOf(third, { rule: hashOf({ rule: 'median', ...rule }) }).best).toEqual([0.5, 0.5]);
    writeCurve(at(runs, 3, 'runs'), [0.6, 0.6, 0.6]);
    expect(await judge(3, 3)).toBeUndefined();
  });
});

describe('workers under the median rule', () => {
  const rule = { graceEpochs: 2, peers: 2 };
  // Accuracies by epoch, as if the runs were trained.
  const curves = [
    [0.5, 0.6, 0.6],
    [0.4, 0.5, 0.5],
    [0.5, 0.52, 0.6],
    [0.6, 0.7, 0.7],
  ];

  /** Trains by copying a curve; loses its claim's process now and then if `killed`. */
  const runWith = async (into: string, workers: number, killed: () => boolean) => {
    const sweep = await prepareSweep({ experiment: await experiment(rule), folder: into });
    const attempts: string[] = [];
    const execute = async (task: SweepTask, run: string): Promise<TaskOutcome> => {
      mkdirSync(run, { recursive: true });
      const claim = await Claim.acquire(run);
      if (claim === undefined) return 'busy';
      attempts.push(task.name);
      const judge = (await MedianRule.of(sweep, task)) ?? { judge: () => undefined };
      const curve = at(curves, task.index, 'curves');
      for (let epoch = curveOf(run).best.length; ; epoch++) {
        const verdict = epoch === 0 || epoch === curve.length ? undefined : judge.judge(epoch);
        if (verdict !== undefined && 'awaits' in verdict) {
          await claim.release('stopped');
          return 'paused';
        }
        if (verdict !== undefined) {
          writeFileSync(join(run, 'stopped.json'), JSON.stringify({ formatVersion: 1, ...verdict }));
          await claim.release('stopped');
          return 'stopped';
        }
        if (epoch === curve.length) break;
        await setTimeout(Math.random() * 10);
        writeCurve(run, curve.slice(0, epoch + 1));
        if (killed()) {
          await claim.release('stopped');
          return 'returned';
        }
      }
      writeFileSync(join(run, 'summary.json'), JSON.stringify(summaryOf(task.runId)));
      await claim.release('finished');
      return 'finished';
    };
    const options = { sweep, execute, isBlocked: blockedIn(sweep), pollSeconds: 0.01 };
    await Promise.all(Array.from({ length: workers }, () => workOn(options)));
    const { tasks } = await readSweepStatus(sweep);
    return { attempts, states: tasks.map(({ status, message }) => [status, message]) };
  };

  it('stop the same runs for any number of workers, with interruptions, too', { timeout: 60_000 }, async () => {
    const { states, attempts } = await runWith(join(folder, 'one'), 1, () => false);
    expect(states.map(([status]) => status)).toEqual(['finished', 'finished', 'stopped', 'finished']);
    expect(attempts).toHaveLength(4);
    for (let round = 0; round < 4; round++) {
      const random = createRandom(round);
      let kills = 2;
      const killed = () => random.uniform() < 0.3 && kills-- > 0;
      const { states: shared } = await runWith(join(folder, `four-${round}`), 4, killed);
      expect(shared).toEqual(states);
    }
  });

  it('leave a run that waits for one that nobody works on', { timeout: 30_000 }, async () => {
    const sweep = await prepareSweep({ experiment: await experiment(rule), folder });
    const [first, , third] = sweep.tasks;
    if (first === undefined || third === undefined) throw new Error('no tasks');
    const run = runFolderOf(sweep, third);
    mkdirSync(run, { recursive: true });
    writeCurve(run, [0.5, 0.5]);
    await (await Claim.acquire(run))?.release('stopped');
    const execute = async (): Promise<TaskOutcome> => {
      throw new Error('The run is blocked.');
    };
    const options = { sweep, execute, isBlocked: blockedIn(sweep), tasks: [third.index], pollSeconds: 0.01 };
    expect(await workOn({ ...options, patienceSeconds: 0.05 })).toBe(0);
    expect((await readSweepStatus(sweep)).counts).toMatchObject({ interrupted: 1, waiting: 3 });
  });
});
