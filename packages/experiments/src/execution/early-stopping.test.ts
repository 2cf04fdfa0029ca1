import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, readEarlyStop } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadStudy } from '../sweep/load-study.js';
import { runFolderOf } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { createExperiment } from './experiment-file.js';
import { curveOf, MedianRule } from './median-rule.js';
import { openSweep } from './open-sweep.js';
import { prepareSweep } from './prepare-sweep.js';
import { runSweep } from './run-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-early-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const experiment = (earlyStopping: { graceEpochs: number; peers: number } | undefined, epochs = 3) =>
  createExperiment({
    name: 'search',
    base: {
      ...{ method: 'backprop', backbone: 'tiny', modules: 2, resize: 8, trainImages: 40, testImages: 100 },
      ...{ batch: 20, epochs, backend: 'cpu', momentum: 0 },
    },
    // The first two learn; the last ones do not move.
    grid: { learningRate: [0.3, 0.2, 0, 1e-9] },
    seeds: 1,
    ...(earlyStopping === undefined ? {} : { earlyStopping }),
  });

function writeCurve(run: string, accuracies: readonly number[]): void {
  mkdirSync(run, { recursive: true });
  const lines = accuracies.map((testAccuracy, index) =>
    JSON.stringify({ type: 'epoch-end', epoch: index + 1, testAccuracy }),
  );
  writeFileSync(join(run, 'metrics.jsonl'), `${lines.join('\n')}\n`);
}

describe('the median rule', () => {
  const prepared = async () => {
    const sweep = await prepareSweep({ experiment: await experiment({ graceEpochs: 2, peers: 3 }), folder });
    const runs = sweep.tasks.map((task) => runFolderOf(sweep, task));
    const judge = (index: number, epoch: number) => {
      const task = sweep.tasks[index];
      if (task === undefined || sweep.earlyStopping === null) throw new Error('no rule');
      return new MedianRule(sweep, sweep.earlyStopping, task).judge({ epoch });
    };
    return { runs, judge };
  };

  it('stops a run whose best accuracy is below the median of the others at the same epoch', async () => {
    const { runs, judge } = await prepared();
    for (const [index, curve] of [
      [0.5, 0.6],
      [0.4, 0.5, 0.9],
      [0.3, 0.2, 0.9],
      [0.29, 0.25],
    ].entries()) {
      writeCurve(runs[index] ?? '', curve);
    }
    expect(judge(0, 2)).toBeUndefined();
    // 0.5 against the median of 0.6, 0.3 and 0.29.
    expect(judge(1, 2)).toBeUndefined();
    expect(judge(2, 2)).toMatchObject({
      epoch: 2,
      testAccuracy: 0.3,
      reason: '30.00 % after epoch 2, below the median of 3 other runs (50.00 %)',
    });
    expect(judge(3, 2)).toMatchObject({ testAccuracy: 0.29 });
  });

  it('waits for the grace epochs and for enough other runs, and ignores a line that is being written', async () => {
    const { runs, judge } = await prepared();
    for (const run of runs.slice(0, 3)) writeCurve(run, [0.5, 0.6]);
    writeCurve(runs[3] ?? '', [0.1, 0.1]);
    expect(judge(3, 1)).toBeUndefined();
    expect(judge(3, 2)).toMatchObject({ testAccuracy: 0.1 });
    writeCurve(runs[2] ?? '', [0.5]);
    expect(judge(3, 2)).toBeUndefined();
    appendFileSync(join(runs[2] ?? '', 'metrics.jsonl'), '{"type":"epoch-end","epoch":2,"testAcc');
    expect(curveOf(runs[2] ?? '')).toEqual([0.5]);
    expect(judge(3, 2)).toBeUndefined();
  });
});

describe('early stopping', () => {
  it('ends hopeless runs, records why, and resumes them where the rule is dropped', { timeout: 120_000 }, async () => {
    const rule = { graceEpochs: 2, peers: 2 };
    const source = await experiment(rule);
    const outcomes: string[] = [];
    const onEvent = (event: { readonly type: string; readonly outcome?: string }) => {
      if (event.type === 'task-end') outcomes.push(event.outcome ?? '');
    };
    const first = await runSweep({ experiment: source, folder, executor: 'debug', onEvent });
    expect(outcomes).toEqual(['finished', 'finished', 'stopped', 'stopped']);
    expect(first.counts).toMatchObject({ finished: 2, stopped: 2, waiting: 0, interrupted: 0 });
    expect(first.left).toEqual([]);
    expect(first.stopped.map(({ message }) => message)).toEqual([
      expect.stringMatching(/after epoch 2, below the median of 2 other runs/),
      expect.stringMatching(/after epoch 2, below the median of 3 other runs/),
    ]);
    const sweep = await openSweep(folder);
    const { conditions } = await loadStudy(sweep);
    expect(conditions.map(({ runs, stopped }) => [runs.length, stopped?.length])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ]);
    const run = first.stopped[0]?.folder ?? '';
    expect(await readEarlyStop(run, hashOf({ rule: 'median', ...rule }))).toMatchObject({ epoch: 2 });

    // Nothing is left under the same rule; without it, the runs are resumed after their second epoch.
    outcomes.length = 0;
    await runSweep({ experiment: source, folder, executor: 'debug', onEvent });
    expect(outcomes).toEqual([]);
    const second = await runSweep({ experiment: await experiment(undefined), folder, executor: 'debug', onEvent });
    expect(outcomes).toEqual(['finished', 'finished']);
    expect(second.counts).toMatchObject({ finished: 4, stopped: 0 });
    expect(existsSync(join(run, 'stopped.json'))).toBe(false);
    const events = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('epoch-end'));
    expect(events).toHaveLength(3);
    expect((await readSweepStatus(await openSweep(folder))).counts.finished).toBe(4);
  });
});
