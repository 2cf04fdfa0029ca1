import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { fileSystem } from '../folder/file-system.js';
import {
  checkpoint,
  damages,
  nameOf,
  stepsIn,
  temporaryCheckpoints,
  withChecksum,
} from './checkpoint-folder.fixture.js';

const { damage, open, pathOf } = temporaryCheckpoints();

const whole = {
  formatVersion: 1,
  runId: 'abc',
  tensors: { bytes: 1, sha256: '' },
  notes: null,
  progress: checkpoint(1).progress,
};

describe('CheckpointFolder', () => {
  it('reports why a checkpoint cannot be used', async () => {
    const { checkpoints, problems } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    await checkpoints.save(checkpoint(2), { metricsBytes: 2 });
    const tensors = pathOf('step-00000002.safetensors');
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

  it('rejects with the error of the file system if a checkpoint cannot be read', async () => {
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
          const path = pathOf(file);
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

  it('keeps the checkpoints of a run that starts over, despite unusable checkpoints of later steps', async () => {
    const before = open({ keepBest: true });
    for (const step of [90, 100]) await before.checkpoints.save(checkpoint(step, 0.9), { metricsBytes: 1 });
    for (const step of [90, 100]) damage(nameOf(step), 'version');
    const { checkpoints, problems, names } = open({ keepBest: true });
    expect(await checkpoints.latest()).toBeUndefined();
    expect(problems).toHaveLength(2);
    for (const problem of problems) expect(problem).toMatch(/format version 0.* No other checkpoint is available\.$/);
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
          rmSync(pathOf(), { recursive: true, force: true });
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
            const inVain = existsSync(pathOf()) ? stepsIn(names()).filter((step) => step > at) : [];
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

  it('uses a checkpoint that does not fit only if no other exists, and does not count it among those to keep', async () => {
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
  ])('reports a description of another kind, and uses the previous checkpoint (%#)', async (text, message) => {
    const { checkpoints, problems } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    writeFileSync(pathOf('step-00000002.json'), text);
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    expect(problems).toEqual([expect.stringMatching(message)]);
  });
});
