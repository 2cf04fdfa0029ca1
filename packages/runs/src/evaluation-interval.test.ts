import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingEvent } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { configIdOf } from './identity/config-identity.js';

const configOf = (evaluateEvery?: number) =>
  runConfigSchema.parse({
    ...{ method: 'greedy', backbone: 'tiny', modules: 2, resize: 8, trainImages: 40, testImages: 20, batch: 10 },
    ...{ validation: 0.25, epochs: 5, backend: 'wasm', threads: 1 },
    ...(evaluateEvery === undefined ? {} : { evaluateEvery }),
  });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-evaluations-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

async function execute(name: string, evaluateEvery?: number, options: Partial<ExecuteOptions> = {}) {
  const folder = join(parent, name);
  const run = await executeRun({ config: configOf(evaluateEvery), folder, resume: 'auto', ...options });
  const epochs = run?.summary.epochs.map(({ epoch, testLoss, validationLoss }) => ({
    epoch,
    testLoss,
    validationLoss,
  }));
  return { ...run, epochs };
}

describe('a run with the key evaluateEvery', () => {
  it('has the evaluations of these epochs and the last one, and otherwise the results without the key', async () => {
    const always = await execute('always');
    const sometimes = await execute('sometimes', 2);
    expect(sometimes.epochs).toEqual(
      always.epochs?.map((record) =>
        [2, 4, 5].includes(record.epoch)
          ? record
          : { epoch: record.epoch, testLoss: undefined, validationLoss: undefined },
      ),
    );
    expect(sometimes.summary?.testAccuracy).toBe(always.summary?.testAccuracy);
    expect([2, 4, 5]).toContain(sometimes.summary?.validation?.best?.epoch);
    const weights = (name: string) => readFileSync(join(parent, name, 'weights.safetensors'));
    expect(weights('sometimes').equals(weights('always'))).toBe(true);
  });

  it('resumes after an epoch without an evaluation', async () => {
    const stop = new AbortController();
    const observe = (event: TrainingEvent) => {
      if (event.type === 'epoch-end' && event.epoch === 3) stop.abort(new Error('stopped by the test'));
    };
    const stopped = execute('stopped', 2, { observers: [{ observe }], signal: stop.signal });
    await expect(stopped).rejects.toThrow('stopped by the test');
    const { epochs } = await execute('stopped', 2);
    expect(epochs).toEqual((await execute('sometimes', 2)).epochs);
  });

  it('is another run than one without the key, whose identity is that of earlier versions', () => {
    expect(configIdOf(configOf(2))).not.toBe(configIdOf(configOf()));
    expect(configIdOf(configOf(1))).toBe(configIdOf(configOf()));
  });
});
