import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingEvent } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { configIdOf } from './identity/config-identity.js';

const configOf = (clipNorm?: number) =>
  runConfigSchema.parse({
    ...{ method: 'dgl', backbone: 'tiny', modules: 2, resize: 8, trainImages: 40, testImages: 20, batch: 10 },
    ...{ accumulate: 2, epochs: 2, logEvery: 1, backend: 'wasm', threads: 1, optimizer: 'adamw', learningRate: 0.01 },
    ...(clipNorm === undefined ? {} : { clipNorm }),
  });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-clipped-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

function execute(name: string, clipNorm?: number, options: Partial<ExecuteOptions> = {}) {
  const folder = join(parent, name);
  return executeRun({ config: configOf(clipNorm), folder, resume: 'auto', ...options });
}

function losses(name: string): unknown[] {
  const lines = readFileSync(join(parent, name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return events.flatMap((event) => (event.type === 'step-end' ? [[event.step, event.losses]] : []));
}

describe('a run with the key clipNorm', () => {
  it('has the same losses when it is stopped and resumed, and other ones than without the key', async () => {
    await execute('plain');
    await execute('straight', 0.1);
    const stop = new AbortController();
    const observe = (event: TrainingEvent) => {
      if (event.type === 'step-end' && event.step === 3) stop.abort(new Error('stopped by the test'));
    };
    const stopped = execute('stopped', 0.1, { observers: [{ observe }], signal: stop.signal });
    await expect(stopped).rejects.toThrow('stopped by the test');
    expect((await execute('stopped', 0.1))?.summary.resumptions).toBe(1);
    expect(losses('stopped')).toEqual(losses('straight'));
    expect(losses('straight')).not.toEqual(losses('plain'));
  });

  it('has the losses of one without the key while the norm stays below the limit', async () => {
    await execute('unlimited', 1e6);
    await execute('without');
    expect(losses('unlimited')).toEqual(losses('without'));
  });

  it('is another run than one without the key, whose identity is that of earlier versions', () => {
    expect(configIdOf(configOf(1))).not.toBe(configIdOf(configOf()));
    expect(configIdOf(configOf(1))).not.toBe(configIdOf(configOf(2)));
    expect(configIdOf(configOf())).toBe('ae8421723ac0');
  });
});
