import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleProgram } from './bundle.fixture.js';
import { runFixture } from './run.fixture.js';

let bundle: Awaited<ReturnType<typeof bundleProgram>>;
let backend: BackendHandle;
beforeAll(async () => {
  bundle = await bundleProgram(join(import.meta.dirname, 'worker.fixture.ts'));
  backend = await selectBackend('wasm', { threads: 1 });
});
afterAll(async () => {
  backend.dispose();
  bundle.remove();
  await tf.setBackend('cpu');
});

describe('a pipeline of worker threads', () => {
  it('trains the same bits as one thread, and reports the same events', async () => {
    const config = { method: 'dgl' };
    const sequential = await runFixture({ config });
    const pipelined = await runFixture({ config, workers: { placement: '0-1 2-3', program: bundle.program } });
    expect(pipelined.events).toEqual(sequential.events);
    expect(pipelined.tensors).toEqual(sequential.tensors);
  }, 60_000);
});
