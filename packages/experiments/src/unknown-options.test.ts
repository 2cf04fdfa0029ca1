import { expect, it } from 'vitest';
import { planSweep, prepareSweep, runSweep, submitSweep, sweepCommands, sweepJob, workOnSweep } from './index.js';

const wrong = { mistaken: 1 } as never;
const source = 'file, experiment, overrides, folder, option, command, onProblem';
const runnable = `${source}, sweep, isChecked`;

it.each<[string, () => unknown, string]>([
  ['planSweep', () => planSweep(wrong), `${source}, only, measure, threads.`],
  ['prepareSweep', () => prepareSweep(wrong), `${source}.`],
  ['runSweep', () => runSweep(wrong), `${runnable}, executor, processes`],
  ['submitSweep', () => submitSweep(wrong), `${runnable}, partition, account`],
  ['sweepCommands', () => sweepCommands(wrong), `${runnable}, cpus, runsPerJob, only.`],
  ['sweepJob', () => sweepJob(wrong), `${runnable}, image, volumeClaim`],
  ['workOnSweep', () => workOnSweep(wrong), 'sweep, tasks, threads, wait, signal, onEvent.'],
])('%s names an unknown option and the allowed ones', async (where, call, allowed) => {
  await expect(async () => call()).rejects.toThrow(`Unknown option of ${where} 'mistaken'. Allowed: ${allowed}`);
});
