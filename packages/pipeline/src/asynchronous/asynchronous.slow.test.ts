import { join } from 'node:path';
import { type AsynchronousOptions, AsynchronousSchedule, asynchronous } from '@localgrad/asynchronous';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import type { TrainingCheckpoint } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleProgram } from '../bundle.fixture.js';
import { type AsynchronousPipelineOptions, createAsynchronousPipeline, type WorkerTurn } from '../index.js';
import { build, type FixtureConfig } from '../plan.fixture.js';
import { type FixtureRun, randomBatches, runFixture } from '../run.fixture.js';
import { replayed } from './replay.fixture.js';

let bundle: Awaited<ReturnType<typeof bundleProgram>>;
let backend: BackendHandle;
beforeAll(async () => {
  bundle = await bundleProgram(join(import.meta.dirname, '../worker.fixture.ts'));
  backend = await selectBackend('wasm', { threads: 1 });
}, 120_000);
afterAll(async () => {
  backend.dispose();
  bundle.remove();
  await tf.setBackend('cpu');
});

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
      pipeline = createAsynchronousPipeline({ ...plan, program: bundle.program, onTurn, ...pipelined });
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
    ['micro-batches and dropout', { placement: 2, accumulate: 2, config: { backbone: 'wide-resnet-10-1(dropout: 0.3)' } }],
    ['limited reuse', { placement: '0 1-3', asynchronous: { bufferSize: 2, maxReuse: 0 } }],
    ['phases', { placement: '0-1 2-3', config: { method: 'sequential(dgl)' } }],
    ['windows within a worker', { placement: '0-1 2-3', config: { method: 'mlm(dgl, within: stage)' } }],
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
