import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { fileSystem } from '../folder/file-system.js';
import { checkpoint, stepsIn, temporaryCheckpoints } from './checkpoint-folder.fixture.js';

const { open, pathOf } = temporaryCheckpoints();

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

  it('keeps the best one by validation accuracy where there is one', async () => {
    const { checkpoints, names } = open({ keepLast: 1, keepBest: true });
    for (const [step, validationAccuracy] of [0.5, 0.9, 0.7].entries()) {
      // On test images the last one is the best.
      const { progress, tensors } = checkpoint(step + 1, 0.1 * (step + 1));
      const records = progress.records.map((record) => ({ ...record, validationAccuracy }));
      await checkpoints.save({ tensors, progress: { ...progress, records } }, { metricsBytes: 0 });
    }
    expect(stepsIn(names())).toEqual([2, 3]);
  });

  it('keeps the best one by the metric that its records name', async () => {
    const { checkpoints, names } = open({ keepLast: 1, keepBest: true });
    for (const [step, loss] of [0.5, 0.2, 0.7].entries()) {
      // By accuracy the last one is the best.
      const { progress, tensors } = checkpoint(step + 1, 0.1 * (step + 1));
      const metric = { name: 'loss', lowerIsBetter: true };
      const records = progress.records.map((record) => ({ ...record, metric, testMetrics: { loss } }));
      await checkpoints.save({ tensors, progress: { ...progress, records } }, { metricsBytes: 0 });
    }
    expect(stepsIn(names())).toEqual([2, 3]);
    expect((await checkpoints.best())?.progress.step).toBe(2);
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

  it('removes descriptions before tensors, and its folder when it is empty', async () => {
    const { checkpoints } = open();
    const [unlink, rmdir] = [vi.spyOn(fileSystem, 'unlink'), vi.spyOn(fileSystem, 'rmdir')];
    for (const step of [1, 2]) await checkpoints.save(checkpoint(step), { metricsBytes: 1 });
    expect(rmdir).not.toHaveBeenCalled();
    await checkpoints.clear();
    const extensions = unlink.mock.calls.map(([file]) => file.split('.').at(-1));
    expect(extensions).toEqual(['json', 'json', 'safetensors', 'safetensors']);
    expect(existsSync(pathOf())).toBe(false);
    await expect(checkpoints.clear()).resolves.toBeUndefined();
    rmdir.mockRejectedValueOnce(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    await expect(checkpoints.clear()).rejects.toThrow(/permission denied/);
  });

  it('skips tensors without a description, and removes leftovers of a killed process', async () => {
    const { checkpoints, names } = open();
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const part = pathOf('step-00000002.safetensors');
    writeFileSync(part, 'half');
    writeFileSync(`${part}.99.partial`, 'less');
    expect((await checkpoints.latest())?.progress.step).toBe(1);
    await checkpoints.save(checkpoint(3), { metricsBytes: 1 });
    expect(existsSync(part)).toBe(false);
    expect(names()).toHaveLength(4);
  });

  it('does not touch files that it did not write', async () => {
    const { checkpoints, names } = open({ keepLast: 1 });
    await checkpoints.save(checkpoint(1), { metricsBytes: 1 });
    const foreign = ['best_model.pt', 'step-1.json', 'step-00000001.txt', 'step-0000000001.json', 'a.partial'];
    for (const name of foreign) writeFileSync(pathOf(name), 'mine');
    await checkpoints.save(checkpoint(2), { metricsBytes: 1 });
    await checkpoints.clear();
    expect(names()).toEqual([...foreign].sort());
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
