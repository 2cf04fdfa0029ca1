import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDataset } from '@localgrad/data';
import { dataset } from '@localgrad/image-data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCaptured } from '../../command-line.fixture.js';

const root = mkdtempSync(join(tmpdir(), 'localgrad-data-convert-'));
const photos = join(root, 'photos');
beforeAll(() => {
  const fixtures = fileURLToPath(new URL('../../../../../packages/image-data/src/fixtures/folder', import.meta.url));
  cpSync(fixtures, photos, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true }));

async function data(...args: string[]) {
  return runCaptured('data', ...args);
}

describe('localgrad data convert', () => {
  it('writes PNG files that read back as the same pixels', { timeout: 120_000 }, async () => {
    const output = join(root, 'converted');
    const { exitCode } = await data('convert', 'fashion-mnist-subset', '--output', output, '--size', '7');
    expect(exitCode).toBe(0);
    expect(readdirSync(root)).not.toContainEqual(expect.stringContaining('part'));
    const original = await loadDataset('fashion-mnist-subset', { resize: 7 });
    const { train, test } = await dataset({ folder: output, channels: 1 });
    expect([train.size, test.size]).toEqual([5000, 1000]);
    const firstTrouser = original.train.labels.indexOf(1);
    const found = train.labels.indexOf(1);
    expect(train.images.subarray(found * 49, (found + 1) * 49)).toEqual(
      original.train.images.subarray(firstTrouser * 49, (firstTrouser + 1) * 49),
    );
    expect(train.classes.slice(0, 2)).toEqual(['0-T-shirt-top', '1-Trouser']);
    expect((await data('convert', photos, '--output', output)).stderr).toMatch(/already exists/);
  });
});
