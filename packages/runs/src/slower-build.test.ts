import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectBackend } from '@localgrad/backends';
import { expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';

it('a run says why a slower build of its backend is running than the requested one', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'localgrad-slower-'));
  const running = await selectBackend('wasm', { threads: 1 });
  try {
    const reason = 'Using one thread: the threaded build could not be started: no threads here';
    const backend = Object.create(running, { facts: { value: { ...running.facts, reason } } });
    const config = runConfigSchema.parse({
      ...{ method: 'backprop', backbone: 'tiny', modules: 2, resize: 8, trainImages: 20, testImages: 10, batch: 10 },
      ...{ epochs: 1, backend: 'wasm' },
    });
    const notices: string[] = [];
    const onProblem = (message: string) => void notices.push(message);
    await executeRun({ config, folder: join(parent, 'run'), resume: 'auto', backend, onProblem });
    expect(notices).toEqual([reason]);
  } finally {
    running.dispose();
    rmSync(parent, { recursive: true, force: true });
  }
});
