import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type RunConfigInput, runConfigSchema } from '../config/run-config.js';
import { executeRun } from '../execute-run.js';
import { loadData } from '../load-data.js';
import { configIdOf } from './config-identity.js';
import { defaultRunFolder } from './default-run-folder.js';
import { earlierRunId, identifyRun } from './run-identity.js';

const tiny: RunConfigInput = {
  ...{ method: 'greedy', backbone: 'resnet8', width: 2, modules: 2, resize: 8 },
  ...{ trainImages: 20, testImages: 10, epochs: 1, batch: 10, backend: 'cpu' },
};
const configOf = (more: RunConfigInput = {}) => runConfigSchema.parse({ ...tiny, ...more });
const idOf = (more: RunConfigInput) => configIdOf(configOf(more));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-effect-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the identity of a run', () => {
  it.each<[RunConfigInput, RunConfigInput]>([
    [{ partition: [1, 3] }, { modules: 5, stemModule: 'own' }],
    [{ partition: 'published' }, { stemModule: 'merged' }],
    [{ backend: 'wasm' }, { tf32: true, recordSteps: false }],
    [{ backend: 'webgpu' }, { tf32: true, relaxedSimd: false }],
    [{ backend: 'tensorflow-gpu' }, { recordSteps: false, relaxedSimd: false }],
    [{ backend: 'cpu' }, { tf32: true, recordSteps: false, relaxedSimd: false }],
  ])('with %j ignores %j', (config, without) => {
    expect(idOf({ ...config, ...without })).toBe(idOf(config));
  });

  it.each<[RunConfigInput, RunConfigInput]>([
    [{}, { modules: 3 }],
    [{}, { stemModule: 'own' }],
    [{ partition: 'published' }, { modules: 3 }],
    [{ backend: 'wasm' }, { relaxedSimd: false }],
    [{ backend: 'webgpu' }, { recordSteps: false }],
    [{ backend: 'tensorflow-gpu' }, { tf32: true }],
    [{ backend: 'auto' }, { tf32: true }],
  ])('with %j depends on %j', (config, more) => {
    expect(idOf({ ...config, ...more })).not.toBe(idOf(config));
  });
});

describe('a run of a version that recorded keys without effect', () => {
  const config = configOf({ partition: [1, 3], tf32: true });

  it('is recognized by the same command, and keeps its ID', async () => {
    const run = join(folder, 'run');
    await executeRun({ config, folder: run, resume: 'auto' });
    const file = join(run, 'identity.json');
    const identity = JSON.parse(readFileSync(file, 'utf8'));
    expect(identity.config).not.toHaveProperty('tf32');
    expect(identity.config).not.toHaveProperty('modules');
    const before = { ...identity, runId: '0123456789ab', config: { ...identity.config, modules: 5, tf32: true } };
    writeFileSync(file, JSON.stringify(before));
    const summary = readFileSync(join(run, 'summary.json'), 'utf8');
    writeFileSync(join(run, 'summary.json'), summary.replace(identity.runId, before.runId));
    expect(await executeRun({ config, folder: run, resume: 'auto' })).toMatchObject({ wasFinished: true });
    // Not finished, it is resumed under its ID.
    rmSync(join(run, 'summary.json'));
    expect(await executeRun({ config, folder: run, resume: 'auto' })).toMatchObject({
      wasFinished: false,
      summary: { runId: '0123456789ab' },
    });
  });

  it('is found in the folder that was named by its earlier ID', async () => {
    const data = await loadData(config);
    const { runId } = await identifyRun(config, data);
    const earlier = await earlierRunId(config, data);
    expect(earlier).not.toBe(runId);
    const runs = join(folder, 'localgrad-runs');
    expect(await defaultRunFolder(config, data, {}, runs)).toBe(join(runs, runId));
    mkdirSync(join(runs, earlier), { recursive: true });
    expect(await defaultRunFolder(config, data, {}, runs)).toBe(join(runs, earlier));
    renameSync(join(runs, earlier), join(runs, runId));
    expect(await defaultRunFolder(config, data, {}, runs)).toBe(join(runs, runId));
  });
});

it('a run records the number of modules of its partition', async () => {
  const run = join(folder, 'run');
  const result = await executeRun({ config: configOf({ partition: [1, 1, 2] }), folder: run, resume: 'auto' });
  expect(result?.summary.config).toMatchObject({ partition: [1, 1, 2], modules: 3 });
  expect(parse(readFileSync(join(run, 'config.yaml'), 'utf8'))).toMatchObject({ modules: 3 });
});

it.each<[RunConfigInput, readonly string[]]>([
  [{}, ['momentum', 'nesterov', 'weightDecay']],
  [{ optimizer: 'sgd(momentum: 0.5)' }, ['momentum', 'nesterov', 'weightDecay']],
  [{ optimizer: 'adam', learningRate: 0.001 }, []],
  [{ backend: 'wasm' }, ['momentum', 'nesterov', 'weightDecay', 'relaxedSimd']],
])('the file of a run with %j has the keys that are read, %j, and is that of the same run', async (more, read) => {
  const run = join(folder, 'run');
  const config = configOf(more);
  await executeRun({ config, folder: run, resume: 'auto' });
  const recorded = parse(readFileSync(join(run, 'config.yaml'), 'utf8'));
  const conditional = ['momentum', 'nesterov', 'weightDecay', 'relaxedSimd', 'tf32', 'recordSteps'];
  expect(Object.keys(recorded).filter((key) => conditional.includes(key))).toEqual(read);
  expect(configIdOf(runConfigSchema.parse(recorded))).toBe(configIdOf(config));
});
