import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredTensor } from '@localgrad/nn';
import type { TrainingCheckpoint } from '@localgrad/train';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckpointFolder, type CheckpointFolderOptions } from './checkpoint-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-checkpoints-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function checkpoint(step: number, testAccuracy?: number, batchesDone = 0): TrainingCheckpoint {
  const tensors = new Map<string, StoredTensor>([
    ['parameters/w', { dtype: 'F32', shape: [2, 2], data: Float32Array.from([step, 1, 2, 3]) }],
  ]);
  const record = { epoch: step, losses: {}, learningRate: 0.1, seconds: 1, imagesPerSecond: 1, peakBytes: 1 };
  return {
    progress: {
      step,
      epoch: step,
      batchesDone,
      losses: { firstStep: 0, steps: 0, pending: [], epoch: [{ id: 'final', sum: 0.1 + 0.2, count: 3 }] },
      records: testAccuracy === undefined ? [] : [{ ...record, testAccuracy }],
      seconds: 1,
      totalSeconds: 2,
      epochSeconds: 0,
      epochPeakBytes: 0,
      peakBytes: 1,
      resumptions: 0,
    },
    tensors,
  };
}

function open(options: Partial<CheckpointFolderOptions> = {}) {
  const problems: string[] = [];
  const checkpoints = new CheckpointFolder<{ metricsBytes: number }>(join(folder, 'checkpoints'), {
    runId: 'abc',
    onProblem: (message) => problems.push(message),
    ...options,
  });
  const names = () => readdirSync(join(folder, 'checkpoints')).sort();
  return { checkpoints, problems, names };
}

describe('CheckpointFolder', () => {
  it('gives back what it was given, and the newest', async () => {
    const { checkpoints } = open();
    expect(await checkpoints.latest()).toBeUndefined();
    await checkpoints.save(checkpoint(9), { metricsBytes: 5 });
    await checkpoints.save(checkpoint(10), { metricsBytes: 7 });
    const latest = await checkpoints.latest();
    expect(latest?.notes).toEqual({ metricsBytes: 7 });
    expect(latest?.progress).toEqual(checkpoint(10).progress);
    expect(latest?.tensors).toEqual(checkpoint(10).tensors);
  });

  it('keeps the last ones, and the best where asked to', async () => {
    const { checkpoints, names } = open({ keepLast: 1, keepBest: true });
    for (const [step, accuracy] of [
      [1, 0.5],
      [2, 0.9],
      [3, 0.7],
      [4, 0.6],
    ] as const) {
      await checkpoints.save(checkpoint(step, accuracy), { metricsBytes: 0 });
    }
    // In the middle of an epoch the network is not the one that was tested.
    await checkpoints.save(checkpoint(5, 0.99, 2), { metricsBytes: 0 });
    expect(names()).toEqual(
      ['00000002', '00000005'].flatMap((step) => [`step-${step}.json`, `step-${step}.safetensors`]),
    );
  });

  it('notices every changed or missing byte, names the file, and takes the one before', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('step-00000002.json', 'step-00000002.safetensors'),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.constantFrom('flip', 'truncate'),
        async (file, share, damage) => {
          const { checkpoints, problems } = open();
          await checkpoints.clear();
          await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
          await checkpoints.save(checkpoint(2), { metricsBytes: 2 });
          const path = join(folder, 'checkpoints', file);
          const bytes = readFileSync(path);
          // The newline that ends the description is no part of it.
          const at = Math.floor(share * (bytes.length - 1));
          if (damage === 'truncate') truncateSync(path, at);
          else writeFileSync(path, Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))));
          const latest = await checkpoints.latest();
          if (latest?.progress.step === 2) {
            // White space between the parts of the description says nothing.
            expect(file.endsWith('.json') && damage === 'flip').toBe(true);
            expect(latest.progress).toEqual(checkpoint(2).progress);
            return;
          }
          expect(latest?.progress.step).toBe(1);
          expect(problems).toHaveLength(1);
          expect(problems[0]).toContain('step-00000002');
        },
      ),
      { numRuns: 60 },
    );
  });

  it('passes over tensors without description, and removes what a killed process left', async () => {
    const { checkpoints, names } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const part = join(folder, 'checkpoints', 'step-00000002.safetensors');
    writeFileSync(part, 'half');
    writeFileSync(`${part}.99.partial`, 'less');
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    await checkpoints.save(checkpoint(3), { metricsBytes: 1 });
    expect(existsSync(part)).toBe(false);
    expect(names()).toHaveLength(4);
  });

  it('refuses checkpoints of another run and of another version', async () => {
    const { checkpoints } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const other = open({ runId: 'other' });
    expect(await other.checkpoints.latest()).toBeUndefined();
    expect(other.problems[0]).toMatch(/step-00000001\.json' cannot be used: it belongs to run abc, not to other/);
  });
});
