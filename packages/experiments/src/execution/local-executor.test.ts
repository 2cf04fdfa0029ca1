import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, runConfigSchema } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseExperiment } from '../files/experiment.js';
import { type Sweep, writeSweep } from '../sweep/sweep-folder.js';
import { readSweepStatus } from '../sweep/sweep-status.js';
import { runLocally } from './local-executor.js';
import type { WorkerMessage } from './task-runner.js';

let folder: string;
let sweep: Sweep;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-local-'));
  const text = 'name: e\nbase: { method: "{m}" }\nfactors: { m: [greedy, dgl] }\nseeds: 1\n';
  const experiment = await parseExperiment(text, 'e.yaml', { schema: runConfigSchema });
  sweep = await writeSweep(join(folder, 'sweep'), experiment, { runIdOf: hashOf });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program in a worker's place; `start` tells how often it was started before. */
async function runWith(body: string) {
  const program = join(folder, 'worker.mjs');
  const starts = join(folder, 'starts');
  writeFileSync(starts, '');
  writeFileSync(
    program,
    `import { appendFileSync, readFileSync } from 'node:fs';
const starts = ${JSON.stringify(starts)};
const start = readFileSync(starts, 'utf8').length;
appendFileSync(starts, '.');
const tell = (message) => new Promise((resolve) => process.send(message, resolve));
${body}
`,
  );
  const messages: WorkerMessage[] = [];
  const onMessage = (_: number, message: WorkerMessage) => void messages.push(message);
  const status = await runLocally({ sweep, processes: 1, threads: 1, program, onMessage });
  return { status, messages, starts: readFileSync(starts, 'utf8').length };
}

describe('runLocally', () => {
  it('counts a loss against a run whose workers die before they can claim it', async () => {
    const { status, messages, starts } = await runWith(`
      if (start < 4) {
        await tell({ type: 'task-start', index: 1, name: 'poison' });
        process.kill(process.pid, 'SIGKILL');
      } else {
        await tell({ type: 'done' });
        process.exit(1);
      }`);
    // That it is done a worker says itself: exit code 1 only tells that not all went well.
    expect(starts).toBe(5);
    const [harmless, poison] = status.tasks;
    expect(harmless).toMatchObject({ status: 'waiting', attempts: [] });
    expect(poison).toMatchObject({ status: 'failed', message: expect.stringMatching(/killed 4 times in a row/) });
    expect(poison?.attempts[0]).toMatchObject({ outcome: 'lost', message: 'its worker ended (SIGKILL)' });
    expect(messages.filter(({ type }) => type === 'problem')).toHaveLength(4);
  });

  it('stops when workers end without claiming a run, whatever their exit code, and reports their last error', async () => {
    const { status, messages, starts } = await runWith(`
      console.error('a warning\\nlocalgrad: the images are not there. Fetch them\\n    at some.place');
      process.exit(0);`);
    expect(starts).toBe(3);
    expect(messages[0]).toEqual({
      type: 'problem',
      message: 'worker 1 ended (exit code 0: the images are not there. Fetch them)',
    });
    expect(status.counts).toMatchObject({ waiting: 2 });
    expect(await readSweepStatus(sweep)).toEqual(status);
  });
});
