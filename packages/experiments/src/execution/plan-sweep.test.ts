import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { at } from '@localgrad/core';
import { hashOf, noteFailure } from '@localgrad/runs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { summaryOf } from '../sweep/summary.fixture.js';
import { runFolderOf } from '../sweep/sweep-folder.js';
import { experiment } from './early-stopping.fixture.js';
import { planSweep } from './plan-sweep.js';
import { prepareSweep } from './prepare-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-plan-sweep-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('planSweep counts runs that a rule stopped, or that failed for good, as ended, and predicts no time for them', async () => {
  const rule = { graceEpochs: 2, peers: 2 };
  const planned = await experiment(rule);
  const sweep = await prepareSweep({ experiment: planned, folder });
  const [finished = '', stopped = '', otherRule = '', failed = ''] = sweep.tasks.map((task) =>
    runFolderOf(sweep, task),
  );
  for (const run of [finished, stopped, otherRule]) mkdirSync(run, { recursive: true });
  writeFileSync(join(finished, 'summary.json'), JSON.stringify({ ...summaryOf('x'), seconds: 8 }));
  const stopBy = (graceEpochs: number) =>
    JSON.stringify({
      ...{ formatVersion: 1, rule: hashOf({ rule: 'median', ...rule, graceEpochs }) },
      ...{ epoch: 2, testAccuracy: 0.1, reason: 'below the median' },
    });
  writeFileSync(join(stopped, 'stopped.json'), stopBy(2));
  writeFileSync(join(otherRule, 'stopped.json'), stopBy(1));
  mkdirSync(failed, { recursive: true });
  for (let failures = 0; failures < 3; failures++) await noteFailure(failed, 'broken');
  const plan = await planSweep({ experiment: planned, folder });
  expect(plan).toMatchObject({ runs: 4, finished: 1, stopped: 1, failed: 1, predictedSeconds: 8 });
  expect(plan.rows.map(({ runs, ...row }) => [runs, row.finished, row.stopped, row.failed])).toEqual([
    [1, 1, 0, 0],
    [1, 0, 1, 0],
    [1, 0, 0, 0],
    [1, 0, 0, 1],
  ]);
  expect(at(plan.rows, 0, 'rows').predictedSeconds).toBe(8);
});

it('planSweep counts the ended runs of chosen values, whose candidates have no others of these seeds', async () => {
  const planned = await experiment({ graceEpochs: 1, peers: 2 }, 3, {
    ...{ seeds: 3, tuneSeeds: 1, tune: { learningRate: [0.3, 0.2] } },
  });
  const sweep = await prepareSweep({ experiment: planned, folder });
  for (const { seed, config, ...task } of sweep.tasks) {
    if (seed > 2 || (seed === 2 && config.learningRate === 0.3)) continue;
    const run = runFolderOf(sweep, task);
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, 'summary.json'), JSON.stringify(summaryOf('x')));
  }
  const { rows, predictedSeconds } = await planSweep({ experiment: planned, folder });
  expect(rows.map(({ name, runs, finished }) => [name, runs, finished])).toEqual([
    ['search, learningRate 0.3', 1, 1],
    ['search, learningRate 0.2', 1, 1],
    ['search, chosen', 2, 1],
  ]);
  expect(predictedSeconds).toBe(1);
});
