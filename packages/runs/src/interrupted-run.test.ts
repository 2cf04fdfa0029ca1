import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import * as training from '@localgrad/train';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { runConfigSchema } from './config/run-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { listAttempts } from './folder/attempts.js';
import { loadData } from './load-data.js';
import type { RunSplits } from './run-images.js';

const config = runConfigSchema.parse({
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  batch: 10,
  epochs: 3,
  logEvery: 1,
  backend: 'wasm',
  threads: 1,
});

let backend: BackendHandle;
let data: RunSplits;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
  data = await loadData(config);
});
afterAll(() => backend.dispose());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-execute-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const inFolder = (name: string) => join(folder, name);

function execute(options: Partial<ExecuteOptions> = {}) {
  const problems: string[] = [];
  const result = executeRun({
    config,
    folder,
    resume: 'auto',
    backend,
    data,
    onProblem: (message) => problems.push(message),
    ...options,
  });
  return { result, problems };
}

/** Stops after a step, as a signal does. */
async function stopAfter(step: number, options: Partial<ExecuteOptions> = {}) {
  const stop = new AbortController();
  const observe = (event: training.TrainingEvent) => {
    if (event.type === 'step-end' && event.step === step) stop.abort(new Error('stopped by the test'));
  };
  const { result } = execute({ ...options, observers: [{ observe }], signal: stop.signal });
  await expect(result).rejects.toThrow('stopped by the test');
}

/** What does not depend on time and interruptions. */
function metrics(): unknown[] {
  const lines = readFileSync(inFolder('metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return events.flatMap(({ time, seconds, imagesPerSecond, peakBytes, ...rest }) =>
    rest.type === 'run-start' || rest.type === 'run-end' ? [] : [rest],
  );
}

const outcomes = async () => (await listAttempts(folder)).map(({ outcome }) => outcome);

describe('an interrupted run', () => {
  it('resumes from the previous checkpoint if the metrics of the last one are lost', async () => {
    await execute().result;
    const straight = metrics();
    await stopAfter(6, { resume: 'never', keep: { everySteps: 1 } });
    // Torn in the middle of the last step's line.
    truncateSync(inFolder('metrics.jsonl'), readFileSync(inFolder('metrics.jsonl'), 'utf8').indexOf('"step":6') + 4);
    const { result, problems } = execute({ keep: { everySteps: 1 } });
    expect((await result)?.summary.resumptions).toBe(1);
    expect(problems[0]).toMatch(/step-0+6-0+2\.json' is whole but does not fit: .* 'step-0+5-0+2' is used instead/);
    expect(metrics()).toEqual(straight);
  });

  it('loses no work if no checkpoint has its metrics, and never appends to an incomplete line', async () => {
    await stopAfter(6);
    truncateSync(inFolder('metrics.jsonl'), 300);
    const { result, problems } = execute();
    expect((await result)?.summary).toMatchObject({ resumptions: 1, steps: 12 });
    expect(problems.join('\n')).toMatch(/events in between are lost\. It is used nevertheless/);
    const steps = metrics().flatMap((event) => (event as { step?: number }).step ?? []);
    expect(steps.slice(-6)).toEqual([7, 8, 9, 10, 11, 12]);
  });

  it('is unfinished after starting over until it finishes again', async () => {
    await execute().result;
    expect(existsSync(inFolder('summary.json'))).toBe(true);
    await stopAfter(2, { resume: 'never' });
    expect(existsSync(inFolder('summary.json'))).toBe(false);
    const again = await execute().result;
    expect(again).toMatchObject({ wasFinished: false, summary: { resumptions: 1 } });
  });

  it('removes leftovers of a process that was killed right after its summary', async () => {
    await stopAfter(6);
    cpSync(inFolder('checkpoints'), inFolder('left'), { recursive: true });
    await execute().result;
    expect(existsSync(inFolder('checkpoints'))).toBe(false);
    const killed = () => {
      cpSync(inFolder('left'), inFolder('checkpoints'), { recursive: true });
      const claim = join(inFolder('claims'), readdirSync(inFolder('claims')).sort().at(-1) as string);
      const { outcome: _, ...content } = JSON.parse(readFileSync(claim, 'utf8'));
      writeFileSync(claim, `${JSON.stringify({ ...content, owner: { ...content.owner, startTicks: 1 } })}\n`);
    };
    killed();
    expect(await execute().result).toMatchObject({ wasFinished: true });
    expect(existsSync(inFolder('checkpoints'))).toBe(false);
    expect(await outcomes()).toEqual(['stopped', undefined, 'finished']);
    killed();
    await execute({ keep: { keepLast: 1 } }).result;
    expect(existsSync(inFolder('checkpoints'))).toBe(true);
    // This attempt kept them on purpose: a later call that only returns the result must not remove them.
    await execute().result;
    expect(existsSync(inFolder('checkpoints'))).toBe(true);
    expect(await outcomes()).toEqual(['stopped', undefined, undefined, 'finished']);
  });

  it('rejects a folder that another run claimed during preparation, and counts no failure there', async () => {
    const other = stringify({ ...config, seed: 99 });
    const slow: BackendHandle = {
      ...backend,
      availableBytes() {
        writeFileSync(inFolder('config.yaml'), other);
        return backend.availableBytes();
      },
    };
    const { result } = execute({ backend: slow });
    await expect(result).rejects.toThrow(
      /contains a different run: seed: 99 there, 1 here\. Choose another --output, or pass --resume never/,
    );
    expect(readFileSync(inFolder('config.yaml'), 'utf8')).toBe(other);
    expect(await outcomes()).toEqual(['stopped']);
    expect(existsSync(inFolder('metrics.jsonl'))).toBe(false);
  });

  it('keeps its result if the probe fails', async () => {
    const failure = new LocalgradError('invalid-data', 'Features are not finite.');
    vi.spyOn(training, 'probeModules').mockRejectedValueOnce(failure);
    const { result, problems } = execute({ config: { ...config, probe: true } });
    expect((await result)?.summary.probes).toBeNull();
    expect(problems).toEqual([expect.stringMatching(/could not be probed.*Features are not finite/)]);
    expect(existsSync(inFolder('summary.json'))).toBe(true);
  });
});
