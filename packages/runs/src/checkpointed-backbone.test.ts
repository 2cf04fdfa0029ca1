import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBackbone } from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import { createNetwork, resolvePartition } from '@localgrad/core';
import { createScope } from '@localgrad/nn/random';
import { type EpochRecord, evaluateNetwork } from '@localgrad/train';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describe as describeCheckpoint } from './checkpoints/description.js';
import { type RunConfigInput, runConfigSchema } from './config/run-config.js';
import { executeRun } from './execute-run.js';
import { exportWeights } from './export-weights.js';
import { loadData } from './load-data.js';
import { createRunBatches } from './run-batches.js';

const configOf = (input: RunConfigInput = {}) =>
  runConfigSchema.parse({
    ...{ method: 'greedy', backbone: 'tiny', modules: 2, resize: 8, trainImages: 100, testImages: 50 },
    ...{ validation: 0.3, epochs: 3, batch: 20, backend: 'cpu', learningRate: 0.3, schedule: 'constant' },
    ...input,
  });

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-checkpoint-export-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const exported = (source: string, checkpoint: 'best' | 'last' | undefined, name: string) =>
  exportWeights({
    ...{ source, format: 'localgrad', output: join(parent, name) },
    ...(checkpoint === undefined ? {} : { checkpoint }),
  });

/** Accuracies of an exported network on the images of a run. */
async function accuraciesOf(file: string, config: ReturnType<typeof configOf>) {
  const backend = await selectBackend('cpu');
  const scope = createScope(1);
  const { backbone } = readBackbone(await readFile(file), { scope });
  const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules: 2 }));
  const { validationBatches, testBatches } = await createRunBatches(config, await loadData(config), false);
  if (validationBatches === undefined) throw new Error('no validation images');
  const validation = await evaluateNetwork(network, validationBatches);
  const test = await evaluateNetwork(network, testBatches);
  backend.dispose();
  return [validation.accuracy, test.accuracy];
}

/** Trains one epoch, and stops. */
async function startRun(folder: string, config: ReturnType<typeof configOf>): Promise<void> {
  const controller = new AbortController();
  const observe = ({ type }: { type: string }) => type === 'epoch-end' && controller.abort(new Error('enough'));
  const run = { config, folder, resume: 'auto', signal: controller.signal, observers: [{ observe }] } as const;
  await expect(executeRun(run)).rejects.toThrow('enough');
}

const accuracies = (epoch: EpochRecord | undefined) => [epoch?.validationAccuracy, epoch?.testAccuracy];

describe('the weights of a checkpoint', () => {
  it('are those of the best epoch, by validation images, and of the last one', async () => {
    const folder = join(parent, 'finished');
    const config = configOf();
    const result = await executeRun({ config, folder, resume: 'auto', keep: { keepLast: 1, keepBest: true } });
    const { epochs = [], validation } = result?.summary ?? {};
    const best = epochs.find(({ epoch }) => epoch === validation?.best?.epoch);
    const report = await exported(folder, 'best', 'best.safetensors');
    expect(report.checkpoint).toEqual({
      step: 4 * (best?.epoch ?? 0),
      epochs: best?.epoch,
      accuracy: { set: 'validation', value: best?.validationAccuracy },
    });
    expect(await accuraciesOf(join(parent, 'best.safetensors'), config)).toEqual(accuracies(best));
    const last = await exported(folder, 'last', 'last.safetensors');
    expect(last.checkpoint?.epochs).toBe(3);
    expect(await accuraciesOf(join(parent, 'last.safetensors'), config)).toEqual(accuracies(epochs[2]));
    const final = await exported(folder, undefined, 'final.safetensors');
    expect(last.normalization).toEqual(final.normalization);
    expect(await readFile(join(parent, 'last.safetensors'))).toEqual(await readFile(join(parent, 'final.safetensors')));
  });

  it('can be exported before the run has finished, and the final ones not', async () => {
    const folder = join(parent, 'unfinished');
    await startRun(folder, configOf({ pipeline: 'predsim-fashion-mnist' }));
    await expect(exported(folder, undefined, 'none.safetensors')).rejects.toThrow(
      /A run writes it when it has finished; --checkpoint last takes the newest checkpoint of another one\./,
    );
    const { checkpoint, normalization, classNames } = await exported(folder, 'last', 'early.safetensors');
    expect([checkpoint?.step, checkpoint?.epochs, normalization?.mean]).toEqual([4, 1, [0.286]]);
    expect(classNames?.slice(0, 2)).toEqual(['T-shirt/top', 'Trouser']);
    const [tensors] = readdirSync(join(folder, 'checkpoints')).filter((name) => name.endsWith('.safetensors'));
    truncateSync(join(folder, 'checkpoints', tensors ?? ''), 10);
    await expect(exported(folder, 'best', 'damaged.safetensors')).rejects.toThrow(/has no best checkpoint: Checkpoint/);
  });

  it('record the normalization and the classes of their images, which are exported if the final weights are damaged', async () => {
    const folder = join(parent, 'damaged-final');
    await executeRun({ config: configOf({ epochs: 1 }), folder, resume: 'auto', keep: { keepLast: 1 } });
    const final = await exported(folder, undefined, 'whole.safetensors');
    truncateSync(join(folder, 'weights.safetensors'), 10);
    const { classNames, normalization } = await exported(folder, 'last', 'damaged-final.safetensors');
    expect([classNames, normalization]).toEqual([final.classNames, final.normalization]);
    expect(classNames).toHaveLength(10);
    expect(normalization?.deviation).toHaveLength(1);
  });

  it.each([
    ['measured', {}, undefined],
    ['declared', { pipeline: 'predsim-fashion-mnist' }, [0.286]],
  ])('are exported with less from checkpoints of older versions: %s normalization', async (name, config, mean) => {
    const folder = join(parent, `older-${name}`);
    await startRun(folder, configOf(config));
    const [file = ''] = readdirSync(join(folder, 'checkpoints')).filter((one) => one.endsWith('.json'));
    const path = join(folder, 'checkpoints', file);
    const { sha256: _, ...description } = JSON.parse(readFileSync(path, 'utf8'));
    delete description.notes.images;
    writeFileSync(path, describeCheckpoint(description));
    const { classNames, normalization } = await exported(folder, 'last', `${name}.safetensors`);
    expect([classNames, normalization?.mean]).toEqual([null, mean]);
  });

  it('are not there if a finished run keeps none, or in another folder', async () => {
    const folder = join(parent, 'plain');
    await executeRun({ config: configOf({ epochs: 1 }), folder, resume: 'auto' });
    await expect(exported(folder, 'best', 'x.safetensors')).rejects.toThrow(
      `'${folder}' has no best checkpoint: a finished run keeps none by default; train with --keep-best (in an experiment file, checkpoints: { keepBest: true }).`,
    );
    writeFileSync(join(parent, 'note.txt'), 'mine');
    await expect(exported(parent, 'last', 'x.safetensors')).rejects.toThrow(
      `'${parent}' is not the folder of a run: it has no identity.json.`,
    );
  });
});
