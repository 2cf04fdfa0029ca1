import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { TrainingCheckpoint } from '@localgrad/train';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fileSystem } from '../folder/file-system.js';
import { canonicalJson, sha256 } from '../folder/hash.js';
import { CheckpointFolder, type CheckpointFolderOptions } from './checkpoint-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-checkpoints-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

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

const damages = ['tensors', 'description', 'version'] as const;

/** Damages a checkpoint as a lost disk block or another version of the program would. */
function damage(name: string, kind: (typeof damages)[number]): void {
  const path = join(folder, 'checkpoints', name);
  if (kind === 'tensors') truncateSync(`${path}.safetensors`, 40);
  else if (kind === 'description') truncateSync(`${path}.json`, 40);
  else {
    const { sha256: _, ...descriptor } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
    const other = { ...descriptor, formatVersion: 99 };
    writeFileSync(`${path}.json`, withChecksum(other));
  }
}

const whole = {
  formatVersion: 1,
  runId: 'abc',
  tensors: { bytes: 1, sha256: '' },
  notes: null,
  progress: checkpoint(1).progress,
};

function withChecksum(description: object): string {
  return JSON.stringify({ sha256: sha256(canonicalJson(description)), ...description });
}

const nameOf = (step: number) => `step-${String(step).padStart(8, '0')}`;
const stepsIn = (names: readonly string[]) =>
  names.flatMap((name) => (name.endsWith('.json') ? Number(name.slice(5, -5)) : []));

describe('CheckpointFolder', () => {
  it('restores what was saved, from the newest checkpoint', async () => {
    const { checkpoints } = open();
    expect(await checkpoints.latest()).toBeUndefined();
    await checkpoints.save(checkpoint(9), { metricsBytes: 5 });
    await checkpoints.save(checkpoint(10), { metricsBytes: 7 });
    const latest = await checkpoints.latest();
    expect(latest?.notes).toEqual({ metricsBytes: 7 });
    expect(latest?.progress).toEqual(checkpoint(10).progress);
    expect(latest?.tensors).toEqual(checkpoint(10).tensors);
  });

  it('keeps the newest checkpoints, and the best one on request', async () => {
    const { checkpoints, names } = open({ keepLast: 1, keepBest: true });
    for (const [step, accuracy] of [
      [1, 0.5],
      [2, 0.9],
      [3, 0.7],
      [4, 0.6],
    ] as const) {
      await checkpoints.save(checkpoint(step, accuracy), { metricsBytes: 0 });
    }
    // Within an epoch the network differs from the one that was tested.
    await checkpoints.save(checkpoint(5, 0.99, 2), { metricsBytes: 0 });
    expect(names()).toEqual(
      ['00000002', '00000005'].flatMap((step) => [`step-${step}.json`, `step-${step}.safetensors`]),
    );
  });

  it('keeps the last two by default, at least one, and the best by its last record', async () => {
    const plain = open();
    for (const step of [1, 2, 3]) await plain.checkpoints.save(checkpoint(step, 1 / step), { metricsBytes: 0 });
    expect(stepsIn(plain.names())).toEqual([2, 3]);
    const none = open({ keepLast: 0 });
    for (const step of [4, 5]) await none.checkpoints.save(checkpoint(step), { metricsBytes: 0 });
    expect(stepsIn(none.names())).toEqual([5]);
    const best = open({ keepLast: 1, keepBest: true });
    const { progress, tensors } = checkpoint(6, 0.9);
    const [record] = progress.records;
    const worse = record === undefined ? [] : [record, { ...record, testAccuracy: 0.1 }];
    await best.checkpoints.save({ tensors, progress: { ...progress, records: worse } }, { metricsBytes: 0 });
    for (const step of [7, 8]) await best.checkpoints.save(checkpoint(step, 0.9 - step / 10), { metricsBytes: 0 });
    expect(stepsIn(best.names())).toEqual([7, 8]);
  });

  it('names what is wrong with an unusable checkpoint', async () => {
    const { checkpoints, problems } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    await checkpoints.save(checkpoint(2), { metricsBytes: 2 });
    const tensors = join(folder, 'checkpoints', 'step-00000002.safetensors');
    const bytes = readFileSync(tensors);
    writeFileSync(tensors, Buffer.from(bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte))));
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    expect(problems.pop()).toMatch(/2\.safetensors' cannot be used: it has \d+ of \d+ bytes, and its checksum/);
    rmSync(tensors);
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    expect(problems.pop()).toMatch(/2\.safetensors' cannot be used: it is missing/);
    const gone = Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    vi.spyOn(fileSystem, 'readFile').mockRejectedValueOnce(gone);
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    expect(problems.pop()).toMatch(/2\.json' cannot be used: it is missing/);
  });

  it('does not hide that a checkpoint cannot be read', async () => {
    await open().checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const failing = Object.assign(new Error('EIO'), { code: 'EIO' });
    vi.spyOn(fileSystem, 'readFile').mockRejectedValueOnce(failing);
    await expect(open().checkpoints.latest()).rejects.toThrow(/Cannot read/);
    const stat = vi.spyOn(fileSystem, 'stat').mockRejectedValueOnce(failing);
    await expect(open().checkpoints.save(checkpoint(2), { metricsBytes: 1 })).rejects.toThrow(/Cannot read/);
    // Missing tensors make a checkpoint unusable.
    stat.mockRejectedValueOnce(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }));
    const { checkpoints, names } = open({ keepLast: 3 });
    await checkpoints.save(checkpoint(3), { metricsBytes: 1 });
    expect(stepsIn(names())).toEqual([1, 3]);
  });

  it('removes descriptions before tensors, and its folder when it is empty', async () => {
    const { checkpoints } = open();
    const [unlink, rmdir] = [vi.spyOn(fileSystem, 'unlink'), vi.spyOn(fileSystem, 'rmdir')];
    for (const step of [1, 2]) await checkpoints.save(checkpoint(step), { metricsBytes: 1 });
    expect(rmdir).not.toHaveBeenCalled();
    await checkpoints.clear();
    const extensions = unlink.mock.calls.map(([file]) => file.split('.').at(-1));
    expect(extensions).toEqual(['json', 'json', 'safetensors', 'safetensors']);
    expect(existsSync(join(folder, 'checkpoints'))).toBe(false);
    await expect(checkpoints.clear()).resolves.toBeUndefined();
    rmdir.mockRejectedValueOnce(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    await expect(checkpoints.clear()).rejects.toThrow(/permission denied/);
  });

  it('detects every changed or missing byte, names the file, and falls back to the previous checkpoint', async () => {
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
          // The newline at the end of the description is not checked.
          const at = Math.floor(share * (bytes.length - 1));
          if (damage === 'truncate') truncateSync(path, at);
          else writeFileSync(path, Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))));
          const latest = await checkpoints.latest();
          if (latest?.progress.step === 2) {
            // White space between the parts of the description has no meaning.
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

  it('skips tensors without a description, and removes leftovers of a killed process', async () => {
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

  it('keeps the checkpoints of a run that starts over, despite unusable checkpoints of later steps', async () => {
    const before = open({ keepBest: true });
    for (const step of [90, 100]) await before.checkpoints.save(checkpoint(step, 0.9), { metricsBytes: 1 });
    for (const step of [90, 100]) damage(nameOf(step), 'version');
    const { checkpoints, problems, names } = open({ keepBest: true });
    expect(await checkpoints.latest()).toBeUndefined();
    expect(problems).toHaveLength(2);
    for (const problem of problems) expect(problem).toMatch(/format version 99.* No other checkpoint is available\.$/);
    await checkpoints.save(checkpoint(10, 0.5), { metricsBytes: 1 });
    expect(stepsIn(names())).toEqual([10]);
    await checkpoints.save(checkpoint(20, 0.4), { metricsBytes: 1 });
    await checkpoints.save(checkpoint(30, 0.4), { metricsBytes: 1 });
    await checkpoints.save(checkpoint(40, 0.4), { metricsBytes: 1 });
    expect(stepsIn(names())).toEqual([10, 30, 40]);
  });

  it('keeps the last and the best usable checkpoint, whichever is damaged between two attempts', async () => {
    const save = fc.record({ stride: fc.integer({ min: 1, max: 3 }), accuracy: fc.integer({ min: 0, max: 4 }) });
    const attempt = fc.record({
      damaged: fc.array(fc.tuple(fc.nat(3), fc.constantFrom(...damages)), { maxLength: 3 }),
      saves: fc.array(save, { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        fc.array(attempt, { minLength: 2, maxLength: 4 }),
        async (keepLast, keepBest, attempts) => {
          rmSync(join(folder, 'checkpoints'), { recursive: true, force: true });
          /** Accuracies of the complete checkpoints; an accuracy of 0 stands for a checkpoint within an epoch. */
          const whole = new Map<number, number>();
          const newestFirst = () => [...whole.keys()].sort((a, b) => b - a);
          for (const { damaged, saves } of attempts) {
            for (const [index, kind] of damaged) {
              const step = newestFirst()[index];
              if (step === undefined) continue;
              damage(nameOf(step), kind);
              whole.delete(step);
            }
            const { checkpoints, problems, names } = open({ keepLast, keepBest });
            let at = newestFirst()[0] ?? 0;
            const inVain = existsSync(join(folder, 'checkpoints')) ? stepsIn(names()).filter((step) => step > at) : [];
            expect((await checkpoints.latest())?.progress.step ?? 0).toBe(at);
            expect(problems).toHaveLength(inVain.length);
            const consequence = at === 0 ? 'No other checkpoint' : `'${nameOf(at)}' is used instead`;
            for (const problem of problems) expect(problem).toContain(consequence);
            for (const { stride, accuracy } of saves) {
              at += stride;
              await checkpoints.save(checkpoint(at, accuracy, accuracy === 0 ? 1 : 0), { metricsBytes: 1 });
              whole.set(at, accuracy);
              const upToHere = newestFirst().filter((step) => step <= at);
              const kept = new Set(upToHere.slice(0, keepLast));
              const best = Math.max(...upToHere.map((step) => whole.get(step) ?? 0));
              const first = upToHere.findLast((step) => whole.get(step) === best);
              if (keepBest && best > 0 && first !== undefined) kept.add(first);
              for (const step of newestFirst()) if (!kept.has(step)) whole.delete(step);
              expect(stepsIn(names())).toEqual([...kept].sort((a, b) => a - b));
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('uses a checkpoint with an objection only if there is no other, and never counts it as one to keep', async () => {
    const { checkpoints } = open();
    for (const step of [10, 20, 30]) await checkpoints.save(checkpoint(step), { metricsBytes: step });
    const short = (bytes: number) => (notes: { metricsBytes: number }) =>
      notes.metricsBytes > bytes ? `it wants ${notes.metricsBytes} bytes` : undefined;
    const second = open();
    expect((await second.checkpoints.latest(short(25)))?.progress.step).toBe(20);
    expect(second.problems).toEqual([
      expect.stringMatching(
        /step-00000030\.json' is whole but does not fit: it wants 30 bytes\. 'step-0+20' is used instead/,
      ),
    ]);
    const third = open();
    expect((await third.checkpoints.latest(short(5)))?.progress.step).toBe(30);
    expect(third.problems[0]).toMatch(/wants 30 bytes\. It is used nevertheless, since there is no better one/);
    expect(third.problems[1]).toMatch(/wants 20 bytes\. 'step-0+30' is used instead/);
    await second.checkpoints.save(checkpoint(35), { metricsBytes: 9 });
    expect(stepsIn(second.names())).toEqual([20, 35]);
    // One that is used all the same counts again.
    const fourth = open();
    expect((await fourth.checkpoints.latest(short(5)))?.progress.step).toBe(35);
    await fourth.checkpoints.save(checkpoint(40), { metricsBytes: 9 });
    expect(stepsIn(fourth.names())).toEqual([35, 40]);
  });

  it('rejects checkpoints of another run or another version', async () => {
    const { checkpoints } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const other = open({ runId: 'other' });
    expect(await other.checkpoints.latest()).toBeUndefined();
    expect(other.problems[0]).toMatch(/step-00000001\.json' cannot be used: it belongs to run abc, not to other/);
  });

  it.each([
    ['null', /it is not a description/],
    ['[]', /it is not a description/],
    ['{}', /its checksum does not match its content/],
    ['', /it is not JSON/],
    [withChecksum({ formatVersion: 1, runId: 'abc' }), /it is not a description \(tensors: /],
    [withChecksum({ ...whole, progress: null }), /it is not a description \(progress: /],
    [withChecksum({ ...whole, tensors: { bytes: -1, sha256: '' } }), /it is not a description \(tensors\.bytes: /],
  ])('names a description that is something else, and uses the one before (%#)', async (text, message) => {
    const { checkpoints, problems } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    writeFileSync(join(folder, 'checkpoints', 'step-00000002.json'), text);
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    expect(problems).toEqual([expect.stringMatching(message)]);
  });

  it('does not touch files that it did not write', async () => {
    const { checkpoints, names } = open({ keepLast: 1 });
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const foreign = ['best_model.pt', 'step-1.json', 'step-00000001.txt', 'step-0000000001.json', 'a.partial'];
    for (const name of foreign) writeFileSync(join(folder, 'checkpoints', name), 'mine');
    await checkpoints.save(checkpoint(2), { metricsBytes: 1 });
    await checkpoints.clear();
    expect(names()).toEqual([...foreign].sort());
  });
});

describe('CheckpointFolder of several attempts', () => {
  const refusal = new Error('taken over');

  it('prefers the newest attempt, and removes the checkpoints of earlier ones', async () => {
    const first = open({ attempt: 1 });
    for (const step of [10, 20, 30]) await first.checkpoints.save(checkpoint(step), { metricsBytes: 1 });
    const second = open({ attempt: 2 });
    expect((await second.checkpoints.latest())?.name).toBe('step-00000030-000001');
    // It went back: its own step counts, not the higher one of the attempt before.
    await second.checkpoints.save(checkpoint(25), { metricsBytes: 1 });
    expect(second.names().filter((name) => name.endsWith('.json'))).toEqual([
      'step-00000020-000001.json',
      'step-00000025-000002.json',
    ]);
    expect((await open({ attempt: 3 }).checkpoints.latest())?.name).toBe('step-00000025-000002');
    // An overtaken attempt does not use its successor's.
    expect((await first.checkpoints.latest())?.name).toBe('step-00000020-000001');
    // Some file systems list names in no order.
    const { readdir } = fileSystem;
    vi.spyOn(fileSystem, 'readdir').mockImplementation(async (path) => (await readdir(path)).reverse());
    expect((await open({ attempt: 3 }).checkpoints.latest())?.name).toBe('step-00000025-000002');
  });

  it.each(['tensors', 'description', 'cleaning'] as const)(
    'does not touch the files of its successor when it wakes up before %s',
    async (sleepsBefore) => {
      let isTakenOver = false;
      let checks = 0;
      const successor = open({ attempt: 2, keepLast: 1 });
      const takeOver = async () => {
        checks++;
        const at = { tensors: 1, description: 2, cleaning: 3 }[sleepsBefore];
        if (checks === at && !isTakenOver) {
          isTakenOver = true;
          for (const step of [15, 25]) await successor.checkpoints.save(checkpoint(step), { metricsBytes: 1 });
        }
        if (isTakenOver) throw refusal;
      };
      await open({ attempt: 1 }).checkpoints.save(checkpoint(10), { metricsBytes: 1 });
      const sleeper = open({ attempt: 1, assertHeld: takeOver });
      await expect(sleeper.checkpoints.save(checkpoint(12), { metricsBytes: 1 })).rejects.toBe(refusal);
      await expect(sleeper.checkpoints.clear()).rejects.toBe(refusal);
      const latest = await open({ attempt: 3 }).checkpoints.latest();
      expect(latest?.name).toBe('step-00000025-000002');
      expect(latest?.tensors).toEqual(checkpoint(25).tensors);
    },
  );

  it('does not touch the files of its successor even if it slept after the last check, and then cleans up', async () => {
    const successor = open({ attempt: 2, keepLast: 1 });
    const { rename } = fileSystem;
    let isAsleep = false;
    vi.spyOn(fileSystem, 'rename').mockImplementation(async (from, to) => {
      await rename(from, to);
      if (!isAsleep && to.endsWith('step-00000012-000001.json')) {
        isAsleep = true;
        for (const step of [15, 25]) await successor.checkpoints.save(checkpoint(step), { metricsBytes: 1 });
        writeFileSync(join(folder, 'checkpoints', `step-00000030-000002.json.${'0'.repeat(36)}.partial`), 'half');
      }
    });
    const sleeper = open({ attempt: 1 });
    await sleeper.checkpoints.save(checkpoint(12), { metricsBytes: 1 });
    await sleeper.checkpoints.clear();
    vi.restoreAllMocks();
    expect(successor.names()).toEqual([
      'step-00000025-000002.json',
      'step-00000025-000002.safetensors',
      `step-00000030-000002.json.${'0'.repeat(36)}.partial`,
    ]);
    expect((await open({ attempt: 3 }).checkpoints.latest())?.tensors).toEqual(checkpoint(25).tensors);
  });

  it('resumes from checkpoints of versions without attempt numbers', async () => {
    await open().checkpoints.save(checkpoint(7), { metricsBytes: 1 });
    const next = open({ attempt: 4, keepLast: 1 });
    expect((await next.checkpoints.latest())?.progress.step).toBe(7);
    await next.checkpoints.save(checkpoint(8), { metricsBytes: 1 });
    expect(next.names()).toEqual(['step-00000008-000004.json', 'step-00000008-000004.safetensors']);
  });

  it('writes the tensors, then the description, and syncs each before the other', async () => {
    const order: string[] = [];
    for (const call of ['fsync', 'rename'] as const) {
      const actual = fileSystem[call] as (...args: unknown[]) => Promise<void>;
      vi.spyOn(fileSystem, call).mockImplementation(async (...args: unknown[]) => {
        const target = call === 'rename' ? ` ${String(args[1]).split('.').at(-1)}` : '';
        order.push(`${call}${target}`);
        return actual(...args);
      });
    }
    await open().checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    vi.restoreAllMocks();
    // The name of the new folder; then content, name and the folder of the name.
    expect(order).toEqual(['fsync', 'fsync', 'rename safetensors', 'fsync', 'fsync', 'rename json', 'fsync']);
  });
});
