import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { standardCatalog } from '@localgrad/catalog';
import type { DatasetSplits, ImageDataset } from '@localgrad/data';
import type { TrainingEvent } from '@localgrad/train';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../config/run-config.js';
import type { ExecuteOptions } from '../execute-options.js';
import { executeRun } from '../execute-run.js';
import { canonicalJson, hashOf } from '../folder/hash.js';
import { configIdOf, withoutDefaults } from './config-identity.js';
import { differencesBetween } from './differences.js';
import { identifyRun, type RunIdentity } from './run-identity.js';

function images(name: string, size: number, change = 0): ImageDataset {
  const pixels = Uint8Array.from({ length: size * 64 }, (_, index) => (index * 37 + (index % 64) * 11) % 251);
  pixels[5] = (pixels[5] ?? 0) + change;
  const labels = Uint8Array.from({ length: size }, (_, index) => index % 2);
  return { name, classes: ['a', 'b'], imageShape: [8, 8, 1], size, images: pixels, labels };
}

function splits(training = images('own', 20), test = images('own', 10)): DatasetSplits {
  return { config: { dataset: 'own' }, train: training, test };
}

const base: RunConfigInput = {
  backbone: 'tiny',
  modules: 2,
  batch: 10,
  epochs: 2,
  logEvery: 1,
  backend: 'wasm',
  threads: 1,
};
const configOf = (more: RunConfigInput = {}): RunConfig => runConfigSchema.parse({ ...base, ...more });

let backend: BackendHandle;
let folder: string;
beforeAll(async () => {
  backend = await selectBackend('wasm', { threads: 1 });
});
afterAll(() => backend.dispose());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-identity-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** In the subfolder `run`. */
async function execute(options: Partial<ExecuteOptions> = {}) {
  const notices: string[] = [];
  const onProblem = (message: string) => void notices.push(message);
  const own = {
    config: configOf(),
    folder: join(folder, 'run'),
    resume: 'auto',
    backend,
    data: splits(),
    onProblem,
  } as const;
  const result = await executeRun({ ...own, ...options });
  return { ...result, notices };
}

async function interrupt(options: Partial<ExecuteOptions> = {}) {
  const stop = new AbortController();
  const observe = (event: TrainingEvent) => {
    if (event.type === 'epoch-end') stop.abort(new Error('stopped by the test'));
  };
  await expect(execute({ ...options, observers: [{ observe }], signal: stop.signal })).rejects.toThrow('stopped by');
}

describe('the identity of a config', () => {
  it('stays the same when an option with a default is added', () => {
    const later = runConfigSchema.extend({ smoothing: z.number().default(0.1), note: z.string().optional() });
    for (const config of [{}, { batch: 32, momentum: 0 }, { method: 'mlm(dgl)', partition: [1, 2] }]) {
      expect(configIdOf(later.parse(config), later)).toBe(configIdOf(runConfigSchema.parse(config)));
      expect(withoutDefaults(later.parse(config), later)).toEqual(config);
    }
    expect(configIdOf(later.parse({ smoothing: 0.2 }), later)).not.toBe(configIdOf(runConfigSchema.parse({})));
  });

  it('depends on values, not on the order of keys or the location of files', () => {
    const config = configOf({ seed: 3 });
    expect(configIdOf(Object.fromEntries(Object.entries(config).reverse()) as RunConfig)).toBe(configIdOf(config));
    expect(configIdOf({ ...config, dataFolder: '/elsewhere' })).toBe(configIdOf(config));
    expect(configIdOf({ ...config, seed: 4 })).not.toBe(configIdOf(config));
  });
});

describe('differencesBetween', () => {
  const hash = (letter: string) => letter.repeat(64);
  const set = { images: 20, shape: [8, 8, 1], classes: 2, pixels: hash('a'), labels: hash('b'), targets: {} };
  const identity: RunIdentity = {
    formatVersion: 1,
    runId: 'a'.repeat(12),
    schemaVersion: 1,
    config: { batch: 32 },
    initialWeights: null,
    modules: [
      { name: './own.mjs', kind: 'file', version: null, hash: hash('c') },
      { name: 'acme', kind: 'package', version: '1.0.0', hash: hash('d') },
    ],
    training: set,
    test: set,
  };
  const [file, pack] = identity.modules;

  it.each<[string, Partial<RunIdentity>, string[]]>([
    ['nothing', {}, []],
    ['a key', { config: { batch: 16 } }, ['batch: 32 there, 16 here']],
    [
      'a key with its default',
      { config: { method: 'greedy' } },
      ['batch: 32 there, 64 here', "method: 'dgl' there, 'greedy' here"],
    ],
    ['a key without a default', { config: { batch: 32, width: 4 } }, ['width: not set there, 4 here']],
    ['pixels', { training: { ...set, pixels: hash('e') } }, ['training images differ: 20 images with other pixels']],
    ['labels', { test: { ...set, labels: hash('e') } }, ['test labels differ']],
    ['a target', { test: { ...set, targets: { masks: hash('e') } } }, ["test target 'masks' differs"]],
    ['the number', { training: { ...set, images: 8, pixels: hash('e') } }, ['training images: 20 there, 8 here']],
    ['the size', { test: { ...set, shape: [9, 9, 1] } }, ['test images: 8×8×1 there, 9×9×1 here']],
    ['the classes', { test: { ...set, classes: 3 } }, ['test classes: 2 there, 3 here']],
    ['initial weights', { initialWeights: hash('f') }, ['initial weights: none there, a file here']],
    ['the schema', { schemaVersion: 2 }, ['configs had another meaning (schema version 1 there, 2 here)']],
    [
      'modules',
      {
        modules: [
          { ...file, hash: hash('e') },
          { ...pack, version: '1.1.0', hash: hash('f') },
        ] as RunIdentity['modules'],
      },
      ["file './own.mjs' has changed", "package 'acme': 1.0.0 there, 1.1.0 here"],
    ],
    [
      'a package that was edited in place',
      { modules: [file, { ...pack, hash: hash('f') }] as RunIdentity['modules'] },
      ["package 'acme' has changed (both are version 1.0.0)"],
    ],
  ])('names %s', (_, change, expected) => {
    expect(differencesBetween(identity, { ...identity, ...change })).toEqual(expected);
  });
});

describe('a run whose images have changed', () => {
  const changed = () => splits(images('own', 20, 1));

  it('is rejected if finished, and replaced with resume: never', async () => {
    const first = await execute();
    expect((await execute()).wasFinished).toBe(true);
    await expect(execute({ data: changed() })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(
        "run' contains a different run: training images differ: 20 images with other pixels. Choose another --output, or pass --resume never to replace the run.",
      ),
    });
    const replaced = await execute({ data: changed(), resume: 'never' });
    expect(replaced.wasFinished).toBe(false);
    expect(replaced.summary?.runId).not.toBe(first.summary?.runId);
    expect((await execute({ data: changed() })).wasFinished).toBe(true);
    await expect(execute()).rejects.toThrow('training images differ');
  });

  it('is not resumed with other or fewer images', async () => {
    await interrupt();
    await expect(execute({ data: changed() })).rejects.toThrow('training images differ');
    await expect(execute({ data: splits(images('own', 10)) })).rejects.toThrow('training images: 20 there, 10 here');
    const { wasFinished, summary } = await execute();
    expect([wasFinished, summary?.resumptions]).toEqual([false, 1]);
  });
});

describe('a run that uses a file of the project', () => {
  const methodFile = (project: string, weight: number) => {
    mkdirSync(join(folder, project));
    writeFileSync(
      join(folder, project, 'own.mjs'),
      `export const method = () => ({ specVersion: 'v1', name: 'own', config: { method: './own.mjs' },
  plan: ({ modules }) => ({ method: 'own', hooks: [], objectives: [{ id: 'final', role: 'final',
    span: [0, modules.length - 1], weight: ${weight}, head: { key: 'classifier' } }] }) });`,
    );
    return { config: configOf({ method: './own.mjs' }), names: { project: join(folder, project) } };
  };

  it('is rejected if the file has changed', async () => {
    const { summary } = await execute(methodFile('before', 1));
    expect(summary?.objectives).toEqual([{ id: 'final', role: 'final', span: [0, 1], weight: 1 }]);
    await expect(execute(methodFile('after', 2))).rejects.toThrow(
      "contains a different run: file './own.mjs' has changed.",
    );
  });
});

describe('a run with initial weights', () => {
  it('is rejected if the file has changed, and recognized if it has moved', async () => {
    await execute();
    const [weights, moved, other] = ['weights', 'moved', 'other'].map((name) =>
      join(folder, `${name}.safetensors`),
    ) as [string, string, string];
    const content = readFileSync(join(folder, 'run/weights.safetensors'));
    writeFileSync(weights, content);
    writeFileSync(moved, content);
    const next = join(folder, 'next');
    await execute({ folder: next, config: configOf({ initialWeights: weights }) });
    expect((await execute({ folder: next, config: configOf({ initialWeights: moved }) })).wasFinished).toBe(true);
    await execute({ folder: join(folder, 'more'), config: configOf({ seed: 2 }) });
    writeFileSync(other, readFileSync(join(folder, 'more/weights.safetensors')));
    await expect(execute({ folder: next, config: configOf({ initialWeights: other }) })).rejects.toThrow(
      'contains a different run: the initial weights have changed.',
    );
    await expect(execute({ folder: next })).rejects.toThrow('initial weights: a file there, none here');
    await expect(execute({ config: configOf({ initialWeights: 'absent.safetensors' }) })).rejects.toThrow(
      /^initialWeights: cannot read 'absent\.safetensors'/,
    );
    const run = join(folder, 'run');
    await expect(execute({ config: configOf({ initialWeights: run }) })).rejects.toThrow(
      `it is a folder; a file is required. Its weights are in '${join(run, 'weights.safetensors')}'.`,
    );
  });
});

describe('a run of a version without identity.json', () => {
  /** Rewrites an interrupted run as such a version would have left it. */
  const asBefore = async (config: RunConfig) => {
    await interrupt({ config });
    rmSync(join(folder, 'run/identity.json'));
    const { optimizer: _, ...earlier } = config;
    writeFileSync(join(folder, 'run/config.yaml'), stringify(earlier));
    // Checkpoints were named by the hash of the whole config.
    const checkpoints = join(folder, 'run/checkpoints');
    for (const name of readdirSync(checkpoints).filter((file) => file.endsWith('.json'))) {
      const { sha256: __, ...content } = JSON.parse(readFileSync(join(checkpoints, name), 'utf8'));
      const descriptor = { ...content, runId: hashOf(earlier) };
      const checksum = createHash('sha256').update(canonicalJson(descriptor)).digest('hex');
      writeFileSync(join(checkpoints, name), JSON.stringify({ sha256: checksum, ...descriptor }));
    }
  };

  it('is recognized by its config, with a notice, if it has no other inputs', async () => {
    const config = configOf();
    await asBefore(config);
    const { notices, summary } = await execute({ config });
    expect(notices).toEqual([
      expect.stringMatching(/was started by an earlier version of localgrad and is recognized by its config alone/),
    ]);
    expect(summary?.resumptions).toBe(1);
    expect(existsSync(join(folder, 'run/identity.json'))).toBe(true);
    // From now on by its identity.
    expect((await execute({ config })).notices).toEqual([]);
    await expect(execute({ config, data: splits(images('own', 20, 1)) })).rejects.toThrow('training images differ');
  });

  it('is rejected if its config differs', async () => {
    await asBefore(configOf());
    await expect(execute({ config: configOf({ seed: 7 }) })).rejects.toThrow('a different run: seed: 1 there, 7 here.');
  });

  it('is rejected if the content of its inputs was not recorded', async () => {
    const catalog = standardCatalog.with({ datasets: { own: () => splits() } });
    const config = configOf({ dataset: 'own' });
    await interrupt({ config, names: { catalog } });
    rmSync(join(folder, 'run/identity.json'));
    await expect(execute({ config, names: { catalog } })).rejects.toThrow(
      'it was started by a version of localgrad that did not record the content of its images.',
    );
    expect((await execute({ config, names: { catalog }, resume: 'never' })).wasFinished).toBe(false);
  });

  it.each(['', '- a\n- b\n', 'name: x\nservices: {}\n', 'a: [1\n'])(
    'rejects the config.yaml %j of another program',
    async (text) => {
      mkdirSync(join(folder, 'run'));
      writeFileSync(join(folder, 'run/config.yaml'), text);
      for (const resume of ['auto', 'never'] as const) {
        await expect(execute({ resume })).rejects.toThrow(/config\.yaml' is not the config of a localgrad run/);
      }
      expect(readFileSync(join(folder, 'run/config.yaml'), 'utf8')).toBe(text);
    },
  );
});

it('rejects a damaged identity.json and names the file', async () => {
  await execute();
  writeFileSync(join(folder, 'run/identity.json'), '{"formatVersion":1}');
  await expect(execute()).rejects.toThrow(/identity\.json' is damaged: it is not the identity of a localgrad run/);
});

it('identifies a run by all of its parts', async () => {
  const identity = await identifyRun(configOf(), splits());
  const { formatVersion: _, runId, ...parts } = identity;
  expect(runId).toBe(hashOf(parts));
  expect((await identifyRun(configOf(), splits())).runId).toBe(runId);
  expect((await identifyRun(configOf(), splits(images('own', 20, 1)))).runId).not.toBe(runId);
  expect(parts.config).toEqual(base);
});
