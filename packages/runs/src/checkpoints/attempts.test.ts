import { writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { fileSystem } from '../folder/file-system.js';
import { checkpoint, temporaryCheckpoints } from './checkpoint-folder.fixture.js';

const { open, pathOf } = temporaryCheckpoints();

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
        writeFileSync(pathOf(`step-00000030-000002.json.${'0'.repeat(36)}.partial`), 'half');
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
});
