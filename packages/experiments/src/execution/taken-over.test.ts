import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executeRun, listAttempts, runConfigSchema } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-taken-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

describe('a run that was taken over while its machine slept', () => {
  it('is left to the other at the next event: nothing more is written, and no failure is counted', async () => {
    const config = runConfigSchema.parse({
      method: 'greedy',
      backbone: 'tiny',
      modules: 2,
      resize: 8,
      trainImages: 40,
      testImages: 20,
      epochs: 3,
      batch: 20,
      backend: 'wasm',
      threads: 1,
    });
    const seen: string[] = [];
    const asleep = {
      observe({ type }: { readonly type: string }) {
        seen.push(type);
        if (type !== 'epoch-end') return;
        const owner = { host: 'other', pid: 1, startTicks: null };
        writeFileSync(join(folder, 'claims', '000002.json'), JSON.stringify({ owner, startedAt: '' }));
        const later = Date.now() + 120_000;
        vi.spyOn(Date, 'now').mockReturnValue(later);
      },
    };
    const trackers = { csv: true };
    expect(await executeRun({ config, folder, resume: 'auto', trackers, observers: [asleep] })).toBeUndefined();
    expect(seen.at(-1)).toBe('epoch-end');
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ type: 'epoch-end', epoch: 1 });
    expect(existsSync(join(folder, 'summary.json'))).toBe(false);
    expect(existsSync(join(folder, 'checkpoints'))).toBe(false);
    const attempts = await listAttempts(folder);
    expect(attempts[0]).toMatchObject({
      outcome: 'stopped',
      message: expect.stringMatching(/taken over by attempt 2/),
    });
    expect(attempts[1]?.outcome).toBeUndefined();
  });
});
