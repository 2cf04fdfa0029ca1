import { describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const flags = ['explain', '--backbone', 'resnet14', '--image', '16x16x3', '--batch', '32', '--modules', '4'];

describe('explain --asynchronous', () => {
  it('prints how often modules train, how old their batches are, and the bytes of the buffers', async () => {
    const { stdout, exitCode, stderr } = await run(
      ...flags,
      '--method',
      'dgl',
      '--asynchronous',
      'buffer: 2, slow: 1@2',
    );
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/module {2}updates per batch {2}age of its batches {2}repeated {2}batches stored/);
    expect(stdout).toMatch(/^ +1 +0\.50 +0\.0 +0 % +2 {2}labels +[\d.]+ MiB/m);
    expect(stdout).toMatch(/The buffers need at most [\d.]+ (KiB|MiB), which is part of the peak below\./);
  });

  it('prints the buffers between workers, and no pace', async () => {
    const asynchronous = ['--asynchronous', 'buffer: 2, slow: 1@2', '--workers', '2'];
    const { stdout, exitCode, stderr } = await run(...flags, '--method', 'dgl', ...asynchronous);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(
      /after module {2}batches stored {2}with targets +bytes\n.*\n +1 +2 {2}labels +[\d.]+ [KM]iB/,
    );
    expect(stdout).toContain('each trains its modules at its own pace, so no two runs have the same results.');
    expect(stdout).not.toContain('updates per batch');
  });

  it('rejects losses that train several modules, by the flag', async () => {
    const { stderr, exitCode } = await run(...flags, '--method', 'mlm(dgl)', '--asynchronous', 'buffer: 2');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(
      /--asynchronous: 'buffer: 2': Asynchronous training needs losses that train one module each, but loss/,
    );
  });
});
