import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LocalgradError } from '@localgrad/core';
import { formatPlacement } from '@localgrad/pipeline';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildPlan } from '../build-plan.js';
import { resolveConfig } from '../config/resolve-config.js';
import type { RunConfigInput } from '../config/run-config.js';
import { explain } from '../explain.js';
import { type ChosenPlacement, choosePlacement, placementText } from './choose-placement.js';
import { keptGroupTimes } from './group-times.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-placement-'));
  vi.stubEnv('LOCALGRAD_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const images = { imageShape: [8, 8, 1], classes: 3 } as const;
const cacheFile = () => join(folder, 'cache', 'module-times.json');

/** A program that reports these seconds in place of measured ones. */
function programWith(seconds: readonly number[]): URL {
  const file = join(folder, `program${Math.random()}.mjs`);
  writeFileSync(
    file,
    `import { parentPort } from 'node:worker_threads';\nparentPort.postMessage({ kind: 'times', seconds: ${JSON.stringify(seconds)} });\n`,
  );
  return pathToFileURL(file);
}

async function chosen(input: RunConfigInput, program?: URL, signal?: AbortSignal): Promise<ChosenPlacement> {
  const config = resolveConfig({ backbone: 'tiny', modules: 4, method: 'dgl', ...input });
  const { compiled, dispose } = await buildPlan(config, images);
  const batch = { images: tf.zeros<tf.Rank.R4>([2, 8, 8, 1]), targets: { labels: tf.zeros<tf.Rank.R1>([2], 'int32') } };
  try {
    const measurement = program === undefined ? undefined : { program, config, signal };
    return await choosePlacement(
      { config, compiled, optimizer: {}, images, names: {} },
      measurement === undefined ? undefined : { ...measurement, withBatch: (use) => use(batch) },
    );
  } finally {
    tf.dispose([batch.images, batch.targets.labels]);
    dispose();
  }
}

const missing = pathToFileURL('/missing.mjs');

describe('choosePlacement', () => {
  it('divides by measured time, and keeps it for the next run of the same plan', async () => {
    const first = await chosen({ workers: 2 }, programWith([0.04, 0.01, 0.01, 0.01]));
    expect(placementText(first)).toBe('Placement: 0 | 1-3, by measured time: 40 and 30 ms');
    // Seeds and learning rates change no times.
    expect(await chosen({ workers: 2, seed: 3, learningRate: 0.2, epochs: 9 }, missing)).toEqual(first);
    const three = await chosen({ workers: 3 }, missing);
    expect(placementText(three)).toBe('Placement: 0 | 1 | 2-3, by measured time: 40, 10 and 20 ms');
  });

  it.each<[string, RunConfigInput]>([
    ['batch size', { batch: 32 }],
    ['method', { method: 'infopro' }],
    ['number of threads', { threads: 2 }],
    ['backend', { backend: 'cpu' }],
    ['optimizer', { optimizer: 'adam' }],
  ])('measures again for another %s', async (_, input) => {
    await chosen({ workers: 2 }, programWith([4, 1, 1, 1]));
    expect((await chosen({ workers: 2, ...input })).basis).toBe('work');
    const again = await chosen({ workers: 2, ...input }, programWith([1, 1, 1, 4]));
    expect(formatPlacement(again.placement)).toBe('0-2 3');
  });

  it('measures again for another delay of gradients, which repeats other forward passes', async () => {
    const late = { method: 'backprop', workers: 2, gradientDelay: 1 };
    await chosen(late, programWith([4, 1, 1, 1]));
    expect((await chosen(late)).basis).toBe('time');
    expect((await chosen({ ...late, gradientDelay: 2 })).basis).toBe('work');
  });

  it('divides by predicted work if the modules cannot be timed, and says why', async () => {
    const { basis, placement, reason } = await chosen({ workers: 2 }, missing);
    expect([basis, placement.length]).toEqual(['work', 2]);
    expect(reason).toMatch(/^The modules could not be timed: Cannot find module/);
    const invalid = await chosen({ workers: 2 }, programWith([1, Number.NaN, 1, 1]));
    expect(placementText(invalid)).toMatch(
      /^Placement: [-\d]+ \| [-\d]+, by predicted work: The time of module 1 is not/,
    );
  });

  it.each([
    ['damaged', (text: string) => text.slice(0, 20)],
    ['of another version', (text: string) => text.replace(/\[\s+4,/, '["slow",')],
    ['with too few times', (text: string) => text.replace(/\[\s+4,/, '[')],
    ['empty', () => ''],
  ])('measures again if the file is %s', async (_, change) => {
    await chosen({ workers: 2 }, programWith([4, 1, 1, 1]));
    writeFileSync(cacheFile(), change(readFileSync(cacheFile(), 'utf8')));
    const again = await chosen({ workers: 2 }, programWith([1, 1, 1, 4]));
    expect(placementText(again)).toMatch(/^Placement: 0-2 \| 3, by measured time/);
  });

  it('measures each time if the file cannot be written', async () => {
    mkdirSync(cacheFile(), { recursive: true });
    for (const seconds of [
      [4, 1, 1, 1],
      [1, 1, 1, 4],
    ]) {
      const { placement } = await chosen({ workers: 2 }, programWith(seconds));
      expect(formatPlacement(placement)).toBe(seconds[0] === 4 ? '0 1-3' : '0-2 3');
    }
  });

  it('ends with the reason of a signal instead of dividing by predicted work', async () => {
    const endless = join(folder, 'endless.mjs');
    writeFileSync(endless, 'setInterval(() => {}, 1000);\n');
    const reason = new LocalgradError('misuse', 'The run was stopped.');
    const stop = new AbortController();
    const choosing = chosen({ workers: 2 }, pathToFileURL(endless), stop.signal);
    setTimeout(() => stop.abort(reason), 100);
    await expect(choosing).rejects.toBe(reason);
  });

  it('measures nothing if one division is possible only, or one is given', async () => {
    expect(placementText(await chosen({ workers: 4 }, missing))).toBe('Placement: 0 | 1 | 2 | 3');
    expect((await chosen({ placement: '0@a 1-3@b' }, missing)).basis).toBe('given');
  });
});

it('explain uses times that were measured before, and says what it divides by', async () => {
  const options = { ...resolveConfig({ backbone: 'tiny', modules: 4, method: 'dgl', workers: 2 }), classes: 3 };
  const explained = async () => (await explain({ ...options, image: images.imageShape })).pipeline;
  expect((await explained())?.basis).toBe('work');
  await chosen({ workers: 2 }, programWith([0.04, 0.01, 0.01, 0.01]));
  const { basis, workers = [] } = (await explained()) ?? {};
  expect(basis).toBe('time');
  expect(workers.map(({ modules, seconds }) => [modules, seconds])).toEqual([
    [[0, 0], 0.04],
    [[1, 3], 0.03],
  ]);
});

it('keeps the times of plans with other groups of modules apart', async () => {
  const config = resolveConfig({ backbone: 'tiny', modules: 4, method: 'dgl', workers: 2 });
  const { compiled, dispose } = await buildPlan(config, images);
  const run = { config, compiled, optimizer: {}, images, names: {} };
  const store = (groups: readonly (readonly [number, number])[]) => keptGroupTimes(run, groups);
  await (await store([[0, 3]])).write([1]);
  const halves = [
    [0, 1],
    [2, 3],
  ] as const;
  await (await store(halves)).write([2, 3]);
  expect(await (await store([[0, 3]])).read()).toEqual([1]);
  dispose();
});
