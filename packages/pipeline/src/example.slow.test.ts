import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleProgram } from './bundle.fixture.js';

let bundle: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  bundle = await bundleProgram(join(import.meta.dirname, '../../../docs/programs/pipeline.mjs'));
}, 120_000);
afterAll(() => bundle.remove());

it('docs/programs/pipeline.mjs trains on two threads with the bits of one', { timeout: 120_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(bundle.program)]);
  const [accuracy, bits] = stdout.trim().split('\n').slice(-2);
  expect(accuracy).toMatch(/^test accuracy (0\.9\d*|1), loss 0\.\d+$/);
  expect(bits).toBe('the same bits');
});
