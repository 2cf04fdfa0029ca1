import { describe, expect, it } from 'vitest';
import { runCaptured as run } from '../command-line.fixture.js';

const flags = ['explain', '--backbone', 'resnet14', '--image', '16x16x3', '--batch', '32', '--method', 'greedy'];

describe('explain --memory-budget', () => {
  it('prints the choice with its reason, next to end-to-end training', async () => {
    const { stdout, exitCode, stderr } = await run(...flags, '--memory-budget', '6.5MiB');
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(
      /Within the memory budget, greedy: \d+ modules? of [\d, ]+ blocks: [\d.]+ units of work, the least of/,
    );
    expect(stdout).toMatch(/End to end: the first .* recomputed/);
    const { budget } = JSON.parse((await run(...flags, '--memory-budget', '6.5MiB', '--json')).stdout);
    expect(budget.peakBytes).toBeLessThanOrEqual(6.5 * 2 ** 20);
    expect(budget.endToEnd.unitsOfWork).toBeGreaterThan(3);
  });

  it('names the flag where nothing fits, and flags that it replaces', async () => {
    const none = await run(...flags, '--memory-budget', '1MiB');
    expect(none.stderr).toMatch(
      /--memory-budget: no plan needs at most 1\.0 MiB: the lowest predicted peak is [\d.]+ MiB, with/,
    );
    const both = await run(...flags, '--memory-budget', '7MiB', '--modules', '3');
    expect(both.stderr).toContain(
      '--modules: has no effect with --memory-budget, which chooses it; remove one of the two.',
    );
  });
});
