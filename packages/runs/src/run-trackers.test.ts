import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { OwnedFolder } from './folder/owned-folder.js';
import { openTrackers } from './run-trackers.js';

/** Answers as MLflow does, with a new ID for each created run. */
let server: Server;
let url: string;
let paths: string[];
let authorizations: Set<string | undefined>;
let folder: string;
let problems: string[];
beforeEach(async () => {
  paths = [];
  problems = [];
  authorizations = new Set();
  folder = mkdtempSync(join(tmpdir(), 'localgrad-trackers-'));
  server = createServer((request, response) => {
    paths.push(request.url?.replace(/^.*mlflow\/|\?.*$/g, '') ?? '');
    authorizations.add(request.headers.authorization);
    request.resume();
    const created = paths.filter((path) => path === 'runs/create').length;
    response.end(JSON.stringify({ experiment: { experiment_id: '1' }, run: { info: { run_id: `run${created}` } } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const note = () => join(folder, 'mlflow.json');

async function track(startsOver: boolean) {
  const config = runConfigSchema.parse({});
  const onProblem = (message: string) => problems.push(message);
  const owned = await OwnedFolder.open(folder, { kind: 'run' });
  const run = { folder: owned, runId: 'abc', config, epochsDone: 0, startsOver, onProblem, assertHeld: () => {} };
  const trackers = await openTrackers({ mlflow: url }, run);
  for (const observer of trackers.observers) {
    observer.observe({ type: 'step-end', step: 1, steps: 1, epoch: 1, learningRate: 1, losses: { final: 1 } });
  }
  await trackers.close();
  const [, runId] = /^\{"runId":"(run\d)"\}$/m.exec(readFileSync(note(), 'utf8')) ?? [];
  return runId;
}

describe('openTrackers', () => {
  it('resumes the MLflow run of an interrupted run, and creates a new one when the run starts over', async () => {
    expect(await track(false)).toBe('run1');
    expect(await track(false)).toBe('run1');
    expect(await track(true)).toBe('run2');
    expect(paths.filter((path) => path === 'runs/create')).toHaveLength(2);
    expect(problems).toEqual([]);
  });

  it.each(['', 'null', '[]', '{"runId": 5}'])('creates a new MLflow run if mlflow.json is %j', async (content) => {
    await (await OwnedFolder.open(folder, { kind: 'run' })).record(['mlflow.json']);
    writeFileSync(note(), content);
    expect(await track(false)).toBe('run1');
    expect(problems).toEqual([expect.stringMatching(/mlflow\.json.* MLflow gets a new run\.$/s)]);
  });

  it('reads credentials from the environment', async () => {
    vi.stubEnv('MLFLOW_TRACKING_USERNAME', 'joe');
    vi.stubEnv('MLFLOW_TRACKING_PASSWORD', 's3cret');
    await track(false);
    expect([...authorizations]).toEqual([`Basic ${btoa('joe:s3cret')}`]);
  });
});
