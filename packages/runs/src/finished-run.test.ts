import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runConfigSchema } from './config/run-config.js';
import type { ExecuteOptions } from './execute-options.js';
import { executeRun } from './execute-run.js';
import { exportWeights } from './export-weights.js';
import { readSummary } from './folder/run-state.js';

const config = runConfigSchema.parse({
  method: 'greedy',
  backbone: 'tiny',
  modules: 2,
  resize: 8,
  trainImages: 40,
  testImages: 20,
  epochs: 1,
  batch: 20,
  backend: 'cpu',
});

let parent: string;
let folder: string;
let summary: Buffer;
let weights: Buffer;
beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'localgrad-finished-'));
  folder = join(parent, 'run');
  await executeRun({ config, folder, resume: 'auto' });
  summary = readFileSync(join(folder, 'summary.json'));
  weights = readFileSync(join(folder, 'weights.safetensors'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));
beforeEach(() => {
  writeFileSync(join(folder, 'summary.json'), summary);
  writeFileSync(join(folder, 'weights.safetensors'), weights);
});

async function execute() {
  const problems: string[] = [];
  const result = await executeRun({ config, folder, resume: 'auto', onProblem: (message) => problems.push(message) });
  return { result, problems };
}

const exported = () =>
  exportWeights({ source: folder, format: 'localgrad', output: join(parent, 'exported.safetensors') });

describe('a finished run', () => {
  it('is returned unchanged and without messages', async () => {
    const { result, problems } = await execute();
    expect(result).toMatchObject({ wasFinished: true, summary: { weights: { bytes: weights.length } } });
    expect(problems).toEqual([]);
    expect((await exported()).tensors).toBeGreaterThan(0);
  });

  it.each(['', 'null', '[]', '{}', '{"testAcc'])('is trained again if its summary is damaged (%j)', async (content) => {
    writeFileSync(join(folder, 'summary.json'), content);
    const { result, problems } = await execute();
    expect(result?.wasFinished).toBe(false);
    expect(problems).toEqual([
      expect.stringMatching(
        /summary\.json' is damaged: .* The run is repeated; the damaged file is kept as 'summary\.damaged\.json'\./,
      ),
    ]);
    expect(readFileSync(join(folder, 'summary.damaged.json'), 'utf8')).toBe(content);
    expect((await readSummary(folder))?.testAccuracy).toBe(JSON.parse(summary.toString()).testAccuracy);
    expect(readFileSync(join(folder, 'weights.safetensors'))).toEqual(weights);
  });

  it('reports weights that were truncated, changed or removed, and does not export them', async () => {
    const file = join(folder, 'weights.safetensors');
    const expectProblem = async (message: RegExp) => {
      const { result, problems } = await execute();
      expect(result?.wasFinished).toBe(true);
      expect(problems).toEqual([expect.stringMatching(message)]);
    };
    truncateSync(file, weights.length - 1);
    await expectProblem(/weights\.safetensors' is damaged: it has \d+ bytes instead of \d+\. .* --resume never/);
    await expect(exported()).rejects.toThrow(/is damaged: it has \d+ bytes instead of/);
    writeFileSync(
      file,
      weights.map((byte, index) => (index === weights.length - 1 ? byte ^ 1 : byte)),
    );
    await expectProblem(/its checksum differs from the one in summary\.json/);
    await expect(exported()).rejects.toMatchObject({ code: 'invalid-data' });
    rmSync(file);
    await expectProblem(/it is missing\. .* --resume never trains the run again/);
    await expect(exported()).rejects.toThrow(
      `The run has finished, but the file was removed; to train the run again: localgrad train ${join(folder, 'config.yaml')} --output ${folder} --resume never.`,
    );
  });

  it('reports trackers and checkpoints that it did not write', async () => {
    const notices = async (options: Partial<ExecuteOptions>) => {
      const problems: string[] = [];
      await executeRun({ config, folder, resume: 'auto', ...options, onProblem: (message) => problems.push(message) });
      return problems;
    };
    const keep = { keepBest: true, keepLast: 1 };
    const trackers = { csv: true, tensorboard: true, mlflow: 'http://localhost:1' };
    expect(await notices({ trackers, keep })).toEqual([
      'The run has finished before, so --csv, --tensorboard, --mlflow, --keep-last, and --keep-best have no effect; add --resume never to train it again.',
    ]);
    expect(await notices({ trackers: { csv: true } })).toEqual([expect.stringContaining('so --csv has no effect')]);
    expect(await notices({ trackers: { csv: false, mlflowExperiment: 'x' }, keep: { everyEpochs: 2 } })).toEqual([]);
    await executeRun({ config, folder, resume: 'never', trackers: { csv: true }, keep: { keepLast: 1 } });
    expect(await notices({ trackers: { csv: true }, keep: { keepLast: 1 } })).toEqual([]);
  });

  it("is exported at its own image size, and rejects any other value of 'resume'", async () => {
    const sized = (imageSize: readonly [number, number]) =>
      exportWeights({ source: folder, format: 'localgrad', output: join(parent, 'sized.safetensors'), imageSize });
    await expect(sized([28, 28])).rejects.toThrow(/--image-size: 28x28, but '.*' contains its image size, 8x8; remove/);
    expect((await sized([8, 8])).inputShape.slice(0, 2)).toEqual([8, 8]);
    const resume = 'sometimes' as 'auto';
    await expect(executeRun({ config, folder, resume })).rejects.toThrow(/option 'resume' is .*sometimes.*auto, never/);
  });

  it('is not checked if its version wrote no checksum', async () => {
    const { weights: _, ...rest } = JSON.parse(summary.toString());
    writeFileSync(join(folder, 'summary.json'), JSON.stringify(rest));
    truncateSync(join(folder, 'weights.safetensors'), 100);
    expect((await execute()).problems).toEqual([]);
  });
});
