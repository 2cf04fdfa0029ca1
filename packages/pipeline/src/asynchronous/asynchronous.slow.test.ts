import { type AsynchronousOptions, AsynchronousSchedule, asynchronous } from '@localgrad/asynchronous';
import type { TrainingCheckpoint } from '@localgrad/train';
import { describe, expect, it } from 'vitest';
import { type AsynchronousPipelineOptions, createAsynchronousPipeline, type WorkerTurn } from '../index.js';
import type { FixtureConfig } from '../plan.fixture.js';
import { type FixtureRun, runFixture, textOf } from '../run.fixture.js';
import { useWorkers } from '../workers.fixture.js';
import { replayed } from './replay.fixture.js';

const workers = useWorkers();

const patience = 120_000;
const base: FixtureConfig = { method: 'dgl', backbone: 'resnet14(width: 4)' };
const stepsPerEpoch = 5;

type Pipelined = Pick<AsynchronousPipelineOptions, 'placement' | 'asynchronous' | 'turns'>;

/** Trains on workers; returns the run with the turns of all workers and their timing. */
async function runWorkers(config: FixtureConfig, pipelined: Pipelined, options: Partial<FixtureRun> = {}) {
  const turns: WorkerTurn[] = [];
  let pipeline: ReturnType<typeof createAsynchronousPipeline> | undefined;
  const run = await runFixture({
    config,
    createPipeline: (plan) => {
      const onTurn = (turn: WorkerTurn) => void turns.push(turn);
      pipeline = createAsynchronousPipeline({ ...plan, program: workers.program, onTurn, ...pipelined });
      return pipeline;
    },
    ...options,
  });
  return { ...run, turns, timing: pipeline?.timing() ?? [] };
}

/** The order of turns in the simulation. */
function simulatedTurns(options: AsynchronousOptions, rounds: number): number[] {
  const schedule = new AsynchronousSchedule({ ...options, modules: 4, seed: 5 });
  return Array.from({ length: rounds }, () => [...schedule.round()].map(({ module }) => module)).flat();
}

const evaluationsOf = (events: readonly string[]) => events.filter((event) => event.includes('"evaluation-end"'));

describe('asynchronous workers in the order of the simulation', () => {
  it.each<[AsynchronousOptions]>([
    [{}],
    [{ bufferSize: 3, slow: [{ module: 1, pace: 2 }] }],
    [{ bufferSize: 2, sampling: 'random', slow: [{ module: 0, pace: 3 }] }],
    [{ bufferSize: 2, order: 'random' }],
    [{ bufferSize: 2, order: 'random', maxReuse: 1 }],
    [{ bufferSize: 2, sampling: 'lifo', order: 'random', slow: [{ module: 2, pace: 2 }] }],
  ])(
    'train the same bits as it with %j',
    async (options) => {
      const turns = simulatedTurns(options, 2 * stepsPerEpoch);
      const rules = { ...options, order: 'sequential' } as const;
      const config = { ...base, backbone: 'wide-resnet-10-1(dropout: 0.3)' };
      const simulated = await runFixture({ config, createStep: asynchronous(options) });
      // The first worker has no further turn, for which the others wait.
      const real = await runWorkers(config, { placement: 4, asynchronous: rules, turns: [...turns, 0] });
      expect(real.turns.map(({ worker }) => worker).sort()).toEqual([...turns].sort());
      expect(real.tensors).toEqual(simulated.tensors);
      expect(evaluationsOf(real.events)).toEqual(evaluationsOf(simulated.events));
    },
    patience,
  );
});

describe('asynchronous workers at their own pace', () => {
  it.each<[string, Pipelined & { readonly config?: Partial<FixtureConfig>; readonly accumulate?: number }]>([
    ['one module each', { placement: 4, asynchronous: { bufferSize: 2 } }],
    ['groups of modules', { placement: '0-1 2-3', asynchronous: { bufferSize: 3, sampling: 'random' } }],
    [
      'micro-batches and dropout',
      { placement: 2, accumulate: 2, config: { backbone: 'wide-resnet-10-1(dropout: 0.3)' } },
    ],
    ['limited reuse', { placement: '0 1-3', asynchronous: { bufferSize: 2, maxReuse: 0 } }],
    ['phases', { placement: '0-1 2-3', config: { method: 'sequential(dgl)' } }],
    [
      'windows within a worker',
      { placement: '0-1 2-3 4-5', config: { method: 'mlm(dgl, within: stage)', modules: 6 } },
    ],
  ])(
    'train the bits of their recorded turns in one thread: %s',
    async (_, { config: more, accumulate = 1, ...pipelined }) => {
      const config = { ...base, ...more };
      const { turns, tensors } = await runWorkers(config, pipelined, { accumulate });
      expect(tensors).toEqual(await replayed(config, turns, { epochs: 2, accumulate }));
      expect(turns.filter(({ worker }) => worker === 0).map(({ step }) => step)).toEqual([...Array(10).keys()]);
    },
    patience,
  );
});

describe('asynchronous workers', () => {
  it(
    'read no batch more often than allowed, and none that is older than their buffer',
    async () => {
      const rules = { bufferSize: 2, maxReuse: 1 };
      const { turns } = await runWorkers(base, { placement: 4, asynchronous: rules });
      const reads = new Map<string, number>();
      for (const { worker, output } of turns) {
        if (output === undefined) continue;
        const key = `${worker}/${output}`;
        reads.set(key, 1 + (reads.get(key) ?? 0));
      }
      expect(Math.max(...reads.values())).toBeLessThanOrEqual(1 + rules.maxReuse);
      // The first worker has stored an output for each step before the one that it is in.
      const ages = turns.filter(({ worker }) => worker === 1).map(({ step, batch }) => step - batch);
      expect(Math.max(...ages)).toBeLessThanOrEqual(rules.bufferSize);
      expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
    },
    patience,
  );

  it(
    'train a slow module less often, and count how often and on which batches',
    async () => {
      const { turns, timing, events } = await runWorkers(
        base,
        { placement: 4, asynchronous: { slow: [{ module: 2, pace: 25 }] } },
        { epochs: 4 },
      );
      const own = [0, 1, 2, 3].map((module) => turns.filter(({ worker }) => worker === module));
      expect(timing.map(({ updatesPerBatch }) => updatesPerBatch)).toEqual(own.map(({ length }) => length / 20));
      expect(timing[0]).toEqual({ module: 0, updatesPerBatch: 1, meanAge: 0, repeated: 0 });
      expect(timing[2]?.updatesPerBatch).toBeLessThan(0.6);
      expect(timing[3]?.repeated).toBeGreaterThan(0.3);
      expect(events.at(-1)).toContain('"status":"completed"');
    },
    patience,
  );

  it(
    'rest between two turns while the network is evaluated and saved, and resume from there',
    async () => {
      const saved: { readonly checkpoint: TrainingCheckpoint; readonly turns: number }[] = [];
      const turns: WorkerTurn[] = [];
      const pipelineWith = (onTurn: (turn: WorkerTurn) => void): NonNullable<FixtureRun['createPipeline']> => {
        return (plan) => createAsynchronousPipeline({ ...plan, program: workers.program, placement: 4, onTurn });
      };
      const save = (checkpoint: TrainingCheckpoint) => void saved.push({ checkpoint, turns: turns.length });
      await runFixture({
        config: base,
        createPipeline: pipelineWith((turn) => void turns.push(turn)),
        checkpoints: { everySteps: 3, save },
      });
      expect(saved.map(({ checkpoint }) => checkpoint.progress.step)).toEqual([3, 5, 6, 9, 10]);
      for (const one of saved) {
        const text = await replayed(base, turns.slice(0, one.turns), { epochs: 2, accumulate: 1 });
        expect(textOf(one.checkpoint.tensors)).toEqual(text);
      }
      const resume = saved[2]?.checkpoint;
      const later: WorkerTurn[] = [];
      const resumed = await runFixture({
        config: base,
        createPipeline: pipelineWith((turn) => void later.push(turn)),
        ...(resume === undefined ? {} : { resume }),
      });
      expect(later.filter(({ worker }) => worker === 0).map(({ step }) => step)).toEqual([6, 7, 8, 9]);
      expect(later.every(({ batch }) => batch >= 6)).toBe(true);
      const last = resumed.checkpoints.at(-1)?.progress;
      expect(last?.resumptions).toBe(1);
      const count = (module: number) =>
        turns.slice(0, saved[2]?.turns).filter(({ worker }) => worker === module).length +
        later.filter(({ worker }) => worker === module).length;
      expect(last?.stepMemory).toEqual({
        turns: [0, 1, 2, 3].map((module) => expect.objectContaining({ updates: count(module) })),
      });
    },
    patience,
  );

  it.each([0, 2])(
    'end when the thread of worker %i ends',
    async (module) => {
      const death = { step: 3, how: 'exit', module } as const;
      const turns = simulatedTurns({}, 10);
      await expect(runWorkers({ ...base, death }, { placement: 4, turns })).rejects.toThrow(
        `Worker 'worker${module}' (module ${module}) has ended: its thread ended with exit code 3.`,
      );
    },
    patience,
  );

  it(
    'end with the error of a worker',
    async () => {
      const death = { step: 1, how: 'error', module: 3 } as const;
      await expect(
        runWorkers({ ...base, death }, { placement: '0-1 2-3', turns: simulatedTurnsOf(2) }),
      ).rejects.toThrow("Worker 'worker1' (modules 2 to 3) has ended: the optimizer is broken (at ");
    },
    patience,
  );
});

/** Turns of workers one after the other. */
const simulatedTurnsOf = (workers: number) => Array.from({ length: 10 }, () => [...Array(workers).keys()]).flat();
