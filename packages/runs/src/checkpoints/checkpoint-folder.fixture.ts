import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { TrainingCheckpoint } from '@localgrad/train';
import { afterEach, beforeEach, vi } from 'vitest';
import { canonicalJson, sha256 } from '../folder/hash.js';
import { CheckpointFolder, type CheckpointFolderOptions } from './checkpoint-folder.js';

/** A checkpoint with one tensor that depends on its step. */
export function checkpoint(step: number, testAccuracy?: number, batchesDone = 0): TrainingCheckpoint {
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

export const damages = ['tensors', 'description', 'version'] as const;

export function withChecksum(description: object): string {
  return JSON.stringify({ sha256: sha256(canonicalJson(description)), ...description });
}

export const nameOf = (step: number) => `step-${String(step).padStart(8, '0')}`;
/** Steps of the descriptions among names of files. */
export const stepsIn = (names: readonly string[]) =>
  names.flatMap((name) => (name.endsWith('.json') ? Number(name.slice(5, -5)) : []));

/** A new folder of checkpoints for each test, removed after it. */
export function temporaryCheckpoints() {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-checkpoints-'));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });
  const pathOf = (name = '') => join(folder, 'checkpoints', name);

  function open(options: Partial<CheckpointFolderOptions> = {}) {
    const problems: string[] = [];
    const checkpoints = new CheckpointFolder<{ metricsBytes: number }>(pathOf(), {
      runId: 'abc',
      onProblem: (message) => problems.push(message),
      ...options,
    });
    const names = () => readdirSync(pathOf()).sort();
    return { checkpoints, problems, names };
  }

  /** Damages a checkpoint as a lost disk block or another version of the program would. */
  function damage(name: string, kind: (typeof damages)[number]): void {
    const path = pathOf(name);
    if (kind === 'tensors') truncateSync(`${path}.safetensors`, 40);
    else if (kind === 'description') truncateSync(`${path}.json`, 40);
    else {
      const { sha256: _, ...descriptor } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
      const other = { ...descriptor, formatVersion: 0 };
      writeFileSync(`${path}.json`, withChecksum(other));
    }
  }

  return { pathOf, open, damage };
}
