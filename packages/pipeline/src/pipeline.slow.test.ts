import { describe, expect, it } from 'vitest';
import { createPipeline } from './index.js';
import { build, type FixtureConfig } from './plan.fixture.js';
import { type FixtureRun, runFixture, textOf } from './run.fixture.js';
import { useWorkers } from './workers.fixture.js';

const workers = useWorkers();

const patience = 120_000;
const dropout = 'wide-resnet-10-1(dropout: 0.3)';

/** Trains in this thread and on workers, and compares every bit. */
async function expectSame(config: FixtureConfig, placement: string | number, options: Partial<FixtureRun> = {}) {
  const sequential = await runFixture({ config, ...options });
  const pipelined = await runFixture({ config, workers: { placement, program: workers.program }, ...options });
  expect(pipelined.events).toEqual(sequential.events);
  expect(pipelined.tensors).toEqual(sequential.tensors);
  expect(sequential.tensors.length).toBeGreaterThan(10);
}

describe('a pipeline of worker threads trains the same bits as one thread, and reports the same events', () => {
  it.each<[string, string | number]>([
    ['greedy', 2],
    ['dgl', '0@a 1@b 2@c 3@d'],
    ['infopro', 3],
    ['predsim', '0 1-3'],
    ['mono-forward', '0-2 3'],
    ['dni(kernelSize: 3)', '0 1-2 3'],
    ['auglocal', 2],
    ['hpff', '0-1 2-3'],
    ['lam(dgl, emaBlocks: none)', 4],
    ['lean-mlaan(infopro)', 2],
    ['pff(infopro)', 3],
    ['sequential(dgl)', 3],
    ['mlaan(dgl)', 1],
    ['backprop', '0-3'],
  ])(
    '%s on %s',
    async (method, placement) => expectSame({ method, backbone: 'resnet14(width: 4)' }, placement),
    patience,
  );

  it.each<[string, string | number]>([
    ['lam(dgl)', 4],
    ['lam(dgl, emaBlocks: all, emaTime: beforeStep)', 3],
    ['lam(dgl, emaTrainable: true)', 2],
    ['man(dgl)', '0-1 2 3'],
    ['sequential(lam(dgl))', 4],
  ])(
    '%s on %s, where averages follow weights of other workers',
    async (method, placement) => expectSame({ method, backbone: 'resnet14(width: 4)' }, placement),
    patience,
  );

  it.each<[string, string | number]>([
    ['mlm(dgl)', 4],
    ['mlm(infopro, window: 3)', '0 1 2-3'],
    ['hpff', '0 1-3'],
    ['auglocal', 4],
    ['backprop', 3],
    ['mlaan(infopro)', 4],
    ['mlaan(dgl)', '0-1 2-3'],
  ])(
    '%s on %s, where gradients cross backward',
    async (method, placement) => expectSame({ method, backbone: 'resnet14(width: 4)' }, placement),
    patience,
  );

  it.each([
    ['lam(dgl)', 1],
    ['mlaan(dgl)', 2],
    ['lam(dgl, emaTime: beforeStep)', 1],
    ['sequential(man(dgl))', 3],
  ])(
    '%s with averages that follow weights of other modules %i steps late',
    async (method, delay) => expectSame({ method, backbone: 'resnet14(width: 4)', delay }, 4),
    patience,
  );

  it.each<[string, number, string | number, FixtureConfig['memory']]>([
    ['backprop', 1, 4, 'residuals'],
    ['backprop', 2, '0 1-2 3', 'recompute'],
    ['mlm(dgl)', 1, 3, 'residuals'],
    ['mlaan(infopro)', 2, 4, 'residuals'],
    ['hpff', 1, '0 1-3', 'residuals'],
    ['auglocal', 3, 2, 'residuals'],
  ])(
    '%s with gradients that arrive %i steps late, on %s',
    async (method, steps, placement, memory = 'residuals') =>
      expectSame({ method, backbone: dropout, memory, gradientDelay: { steps } }, placement),
    patience,
  );

  it.each<[string, string | number]>([
    ['mlaan(infopro)', 4],
    ['backprop', '0 1-3'],
  ])(
    '%s with late gradients of micro-batches, on %s',
    async (method, placement) =>
      expectSame({ method, backbone: dropout, gradientDelay: { steps: 2 } }, placement, { accumulate: 2 }),
    patience,
  );

  it.each(['mlaan(infopro)', 'backprop'])(
    '%s with dropout, micro-batches, recomputed activations and Adam',
    async (method) => {
      const config = { method, backbone: dropout, memory: 'recompute', optimizer: 'adam' } as const;
      await expectSame(config, 3, { accumulate: 3 });
    },
    patience,
  );

  it('with dropout', async () => expectSame({ method: 'dgl', backbone: dropout }, 3), patience);

  it(
    'with micro-batches',
    async () => expectSame({ method: 'infopro', backbone: dropout }, 2, { accumulate: 3 }),
    patience,
  );

  it(
    'with recomputed activations and Adam',
    async () => expectSame({ method: 'dgl', memory: 'recompute', optimizer: 'adam' }, 2),
    patience,
  );

  it(
    'with a checkpoint every 3 steps',
    async () => expectSame({ method: 'dgl' }, 2, { checkpoints: { everySteps: 3, save: () => {} } }),
    patience,
  );
});

describe.each<FixtureConfig>([
  { method: 'sequential(infopro)', optimizer: 'adam' },
  { method: 'mlaan(dgl)', delay: 2 },
  { method: 'mlaan(dgl)', delay: 1, gradientDelay: { steps: 2 } },
])('checkpoints of a pipeline: %j', (config) => {
  /** Runs with a checkpoint every 3 steps. */
  const run = (placement?: string | number, resume?: FixtureRun['resume']) => {
    const saved: NonNullable<FixtureRun['resume']>[] = [];
    const options: Partial<FixtureRun> = {
      checkpoints: { everySteps: 3, save: (checkpoint) => void saved.push(checkpoint) },
      ...(resume === undefined ? {} : { resume }),
      ...(placement === undefined ? {} : { workers: { placement, program: workers.program } }),
    };
    return runFixture({ config, ...options }).then(({ tensors }) => ({ tensors, saved }));
  };

  it(
    'are those of sequential training, and resume with any number of workers',
    async () => {
      const sequential = await run();
      const pipelined = await run(4);
      const stepsOf = ({ saved }: typeof sequential) => saved.map(({ progress }) => progress.step);
      expect(stepsOf(pipelined)).toEqual([3, 5, 6, 9, 10]);
      expect(stepsOf(pipelined)).toEqual(stepsOf(sequential));
      expect(pipelined.saved.map(({ tensors }) => textOf(tensors))).toEqual(
        sequential.saved.map(({ tensors }) => textOf(tensors)),
      );
      for (const [placement, checkpoint] of [
        [undefined, pipelined.saved[0]],
        [2, pipelined.saved[2]],
        ['0 1-3', sequential.saved[3]],
      ] as const) {
        expect((await run(placement, checkpoint)).tensors).toEqual(sequential.tensors);
      }
    },
    2 * patience,
  );

  it(
    'are saved when a signal stops the run',
    async () => {
      const stop = new AbortController();
      const reason = new Error('enough');
      const saved: NonNullable<FixtureRun['resume']>[] = [];
      const stopped = runFixture({
        config,
        workers: { placement: 2, program: workers.program },
        signal: stop.signal,
        observers: [{ observe: (event) => void (event.type === 'step-end' && event.step === 2 && stop.abort(reason)) }],
        checkpoints: { save: (checkpoint) => void saved.push(checkpoint) },
      });
      await expect(stopped).rejects.toBe(reason);
      expect(saved).toHaveLength(1);
      expect((await run(3, saved[0])).tensors).toEqual((await run()).tensors);
    },
    2 * patience,
  );
});

describe('a worker that fails', () => {
  const failed = (how: 'exit' | 'error') => {
    const config = { method: 'dgl', death: { step: 4, how } };
    return runFixture({ config, workers: { placement: '0-1@a 2-3@b', program: workers.program } });
  };

  it(
    'ends the run and the other workers',
    async () => {
      const message = "Worker 'b' (modules 2 to 3) has ended: its thread ended with exit code 3.";
      await expect(failed('exit')).rejects.toThrow(expect.objectContaining({ message, code: 'backend-lost' }));
    },
    patience,
  );

  it(
    'with an error of a plan or an optimizer ends the run with it and its place, which is no failure of the machine',
    async () => {
      const error = await failed('error').catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toHaveProperty('code');
      const { message = '', stack } = error as Error;
      expect(message).toMatch(/^Worker 'b' \(modules 2 to 3\) has ended: the optimizer is broken \(at .*:\d+:\d+\)+$/);
      expect(stack).toMatch(/is broken \(at .*\n +at .*\n +at /);
    },
    patience,
  );

  it(
    'reports its error with its code',
    async () => {
      const { compiled, optimizer } = build({ method: 'dgl' });
      const pipeline = createPipeline({
        compiled,
        placement: 2,
        program: workers.program,
        config: { method: 'unknown' },
      });
      const tensors = new Map();
      await pipeline.start({ compiled, optimizer, batchSize: 2, accumulate: 1, seed: 1, tensors });
      await expect(pipeline.next()).rejects.toThrow(
        expect.objectContaining({
          code: 'unknown-name',
          message: expect.stringMatching(/^Worker 'worker\d'.*Unknown method 'unknown'/),
        }),
      );
      await pipeline.stop();
    },
    patience,
  );
});
