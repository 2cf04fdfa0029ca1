import type { TrainingEvent } from '@localgrad/train';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runEvents } from '../run.fixture.js';
import { allowedKey, inBatches } from './limits.js';
import { type MlflowOptions, mlflowTracker } from './mlflow-tracker.js';
import { type Fault, MlflowServer } from './server.fixture.js';

let server: MlflowServer;
let url: string;
let problems: string[];
beforeEach(async () => {
  server = new MlflowServer();
  url = await server.start();
  problems = [];
});
afterEach(() => server.stop());

function trackerOf(options: Partial<MlflowOptions> = {}) {
  const onProblem = (message: string) => problems.push(message);
  return mlflowTracker({ url, experiment: 'study', retryDelay: 1, onProblem, ...options });
}

async function track(events: readonly TrainingEvent[], options: Partial<MlflowOptions> = {}, milliseconds?: number) {
  const tracker = trackerOf(options);
  for (const event of events) tracker.observe(event);
  await tracker.close(milliseconds);
}

const named = runEvents().map((event) => withoutComma(event));

/** MLflow allows no commas in names. */
function withoutComma(event: TrainingEvent): TrainingEvent {
  return JSON.parse(JSON.stringify(event).replaceAll('final, classifier', 'final')) as TrainingEvent;
}

function breakWith(fault: Fault) {
  server.faults = new Array(999).fill(fault);
}

function valuesOf(key: string) {
  return server.onlyRun.metrics.filter((metric) => metric.key === key).map(({ step, value }) => [step, value]);
}

describe('mlflowTracker', () => {
  it('creates the experiment and the run, then sends parameters, tags, metrics and the end', async () => {
    const ids: string[] = [];
    await track(named, {
      runName: 'dgl, seed 1',
      parameters: { method: 'dgl', seed: 1, augment: true },
      tags: { device: 'wasm' },
      onRun: (id) => ids.push(id),
      now: () => 1234.5,
    });
    expect(server.requests.slice(0, 5)).toEqual([
      'experiments/get-by-name',
      'experiments/create',
      'runs/create',
      'runs/log-batch',
      'runs/log-batch',
    ]);
    expect(server.requests.at(-1)).toBe('runs/update');
    const run = server.onlyRun;
    expect(run).toMatchObject({ name: 'dgl, seed 1', experimentId: '1', status: 'FINISHED', endTime: 1235 });
    expect(Object.fromEntries(run.params)).toEqual({ method: 'dgl', seed: '1', augment: 'true' });
    expect(run.tags.get('device')).toBe('wasm');
    expect(valuesOf('loss/module0')).toEqual([2, 4, 6, 8].map((step) => [step, 2 / step]));
    expect(valuesOf('learning-rate')).toEqual([
      [2, 0.5],
      [4, 0.5],
      [6, 0.25],
      [8, 0.25],
    ]);
    expect(valuesOf('test/accuracy')).toEqual([
      [4, 0.625],
      [8, 0.75],
    ]);
    expect(valuesOf('epoch/peak-bytes')).toEqual([
      [4, 2 ** 21],
      [8, 2 ** 21],
    ]);
    expect([ids, problems]).toEqual([['run1'], []]);
  });

  it('uses an existing experiment', async () => {
    await track(named);
    await track(named);
    expect([server.experiments.size, server.runs.size]).toEqual([1, 2]);
    expect(server.requests.filter((path) => path === 'experiments/create')).toHaveLength(1);
  });

  it.each([
    ['completed', 'FINISHED'],
    ['aborted', 'KILLED'],
    ['failed', 'FAILED'],
  ] as const)('ends a run that was %s as %s', async (status, expected) => {
    await track(named.map((event) => (event.type === 'run-end' ? { ...event, status } : event)));
    expect(server.onlyRun.status).toBe(expected);
  });

  it('retries requests that a busy, broken or unreachable server does not answer, and stores nothing twice', async () => {
    server.faults = [500, 'cut-before', 429, 'cut-after', 503, 'cut-after', undefined, 'cut-after', 500];
    await track(named, { parameters: { seed: 1 } });
    expect(server.requests.filter((path) => /\d$|cut/.test(path))).toHaveLength(8);
    expect(server.onlyRun.status).toBe('FINISHED');
    expect(server.onlyRun.metrics).toHaveLength(4 * 4 + 2 * 2 + 2 * 3);
    expect(problems[0]).toMatch(/^The MLflow server at http:.* answers 500 TEMPORARILY_UNAVAILABLE.* Retrying\.$/);
  });

  it('finds the run if its creation was not answered', async () => {
    server.faults = [undefined, undefined, 'cut-after'];
    await track(named);
    expect(server.requests.slice(2, 4)).toEqual(['runs/create cut-after', 'runs/search']);
    expect(server.onlyRun.status).toBe('FINISHED');
  });

  it('sends queued metrics once the server is up', async () => {
    const port = Number(new URL(url).port);
    await server.stop();
    const tracker = trackerOf();
    for (const event of named) tracker.observe(event);
    await vi.waitFor(() => expect(problems).toHaveLength(1), { timeout: 20_000 });
    server = new MlflowServer();
    await server.start(port);
    await tracker.close();
    expect(server.onlyRun.metrics).toHaveLength(26);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('cannot be reached (ECONNREFUSED)');
  });

  it.each<[string, () => Promise<void>]>([
    ['is away', () => server.stop()],
    ['never answers', async () => breakWith('hang')],
    ['always fails', async () => breakWith(503)],
  ])('neither delays nor ends a run whose server %s, and reports what was not sent', async (_, break_) => {
    await break_();
    const tracker = trackerOf({ retryDelay: 10_000 });
    const startedAt = performance.now();
    for (const event of named) tracker.observe(event);
    await tracker.close(50);
    // A retry would take twice as long.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(problems.at(-1)).toMatch(
      /^Not sent to MLflow: the run itself, its parameters and tags, 26 values of metrics, the run's end \(FINISHED\)/,
    );
  });

  it.each(['null', 'html', 'endless'] as const)(
    'rejects an answer of another kind (%s) within its limits',
    async (fault) => {
      server.faults = [fault];
      await track(named);
      expect(problems[0]).toMatch(
        /^MLflow receives no further data of this run: its answer (has no experiment\.experiment_id|is not JSON|exceeds 1000000 bytes); is it MLflow\?\.$/,
      );
      expect(problems[1]).toContain('Not sent to MLflow: the run itself');
      expect(server.sentBytes).toBeLessThan(50e6);
    },
  );

  it('does not wait at the end for a server that is down', async () => {
    await server.stop();
    const tracker = trackerOf({ retryDelay: 20_000 });
    for (const event of named) tracker.observe(event);
    await vi.waitFor(() => expect(problems).toHaveLength(1), { timeout: 20_000 });
    const startedAt = performance.now();
    await tracker.close();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(problems.at(-1)).toMatch(/^Not sent to MLflow: the run itself, .*cannot be reached \(ECONNREFUSED\)/);
    expect(problems).toHaveLength(2);
  });

  it('resumes a run by its ID', async () => {
    await track(named.slice(0, 9), { parameters: { seed: 1 } });
    await track(runEvents(4).map(withoutComma), { runId: 'run1', parameters: { seed: 1 } });
    expect(server.onlyRun.status).toBe('FINISHED');
    expect(valuesOf('test/accuracy').at(-1)).toEqual([8, 0.75]);
    expect(problems).toEqual([]);
  });

  it('drops a rejected batch, and the whole run only if the run does not exist', async () => {
    await track(named, { parameters: { seed: 1 } });
    await track(named, { runId: 'run1', parameters: { seed: 2 } });
    expect(problems).toEqual([
      'MLflow rejects 1 params: it answers 400 INVALID_PARAMETER_VALUE: Changing param values is not allowed.',
    ]);
    expect(server.onlyRun.status).toBe('FINISHED');
    problems = [];
    await track(named, { runId: 'gone' });
    expect(problems[0]).toContain('receives no further data of this run: it answers 404 RESOURCE_DOES_NOT_EXIST');
    expect(problems[1]).toContain('26 values of metrics');
  });

  it('respects the limits of a batch, and reports changed names and values', async () => {
    const parameters = Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`p${index}`, 'é'.repeat(5999)]));
    const losses = Object.fromEntries(Array.from({ length: 2500 }, (_, index) => [`module${index}`, index]));
    const step: TrainingEvent = { type: 'step-end', step: 1, steps: 1, epoch: 1, learningRate: 1, losses };
    await track([step], { parameters: { ...parameters, 'a+b': 'x'.repeat(6001) } });
    expect(server.onlyRun.params.size).toBe(251);
    expect(server.onlyRun.params.get('a_b')).toHaveLength(6000);
    expect(server.onlyRun.metrics).toHaveLength(2501);
    expect(problems).toEqual([
      "Parameter 'a+b' is stored as 'a_b' in MLflow.",
      "Parameter 'a+b' has 6001 characters; MLflow receives the first 6000.",
    ]);
  });

  it('sends NaN and infinities as text', async () => {
    const losses = { a: Number.NaN, b: Number.NEGATIVE_INFINITY };
    await track([{ type: 'step-end', step: 1, steps: 1, epoch: 1, learningRate: 1, losses }]);
    expect([valuesOf('loss/a'), valuesOf('loss/b')]).toEqual([[[1, 'NaN']], [[1, '-Infinity']]]);
  });

  it.each([
    ['a token', { token: 'secret' }, '', 'Bearer secret'],
    ['a name and a password', {}, 'me:p%40ss@', `Basic ${btoa('me:p@ss')}`],
    [
      'a name and a password in options',
      { credentials: { username: 'me', password: 'p@ss€' } },
      '',
      'Basic bWU6cEBzc+KCrA==',
    ],
    ['a password with a stray percent sign', {}, 'me:p%ss@', `Basic ${btoa('me:p%ss')}`],
    ['nothing', {}, '', undefined],
  ])('authenticates with %s, which no message contains', async (_, options, credentials, expected) => {
    server.faults = [500];
    await track(named, { url: url.replace('//', `//${credentials}`), ...options });
    expect([...server.authorizations]).toEqual([expected]);
    expect(problems.join('')).not.toMatch(/secret|p%40ss|p@ss|p%ss/);
  });

  it('survives callbacks that throw', async () => {
    const fail = () => {
      throw new Error('disk full');
    };
    server.faults = [500];
    await track(named, { onRun: fail, onProblem: fail });
    expect(server.onlyRun.status).toBe('FINISHED');
  });

  it('requires a URL and an experiment', () => {
    expect(() => trackerOf({ url: 'localhost:5000' })).toThrow('allowed: an http or https address');
    expect(() => trackerOf({ url: 'ftp://joe:s3cret@host' })).toThrow("option 'url' is 'ftp://***@host'");
    expect(() => trackerOf({ experiment: '' })).toThrow("option 'experiment'");
  });
});

describe('limits', () => {
  it('splits batches by count and by bytes without losing items', () => {
    expect(inBatches([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(inBatches(['x'.repeat(5e5), 'y'.repeat(5e5), 'z'], 100).map(({ length }) => length)).toEqual([1, 2]);
    expect(inBatches([], 2)).toEqual([]);
  });

  it.each([
    ['loss/final', 'loss/final'],
    ['loss/a+b', 'loss/a_b'],
    ['/a//../b', '_/a/_/__/b'],
    ['ü'.repeat(300), '_'.repeat(250)],
  ])('names %s as %s', (name, key) => expect(allowedKey(name)).toBe(key));
});
