import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, readEarlyStop } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadStudy } from '../sweep/load-study.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { experiment } from './early-stopping.fixture.js';
import { openSweep } from './open-sweep.js';
import { runSweep } from './run-sweep.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-early-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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
      expect.stringMatching(/after epoch 2, below the median of 2 earlier runs/),
      expect.stringMatching(/after epoch 2, below the median of 3 earlier runs/),
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
