import { describe, expect, it } from 'vitest';
import { runCaptured } from '../../command-line.fixture.js';

const tiny = ['--width', '2', '--image', '8x8x3', '--batch', '4', '--threads', '1'];

describe('errors of benchmarks name the flags that were typed', () => {
  it.each([
    ['scaling --depths 9 --backend cpu', /--depths: .*9.*allowed/],
    ['pipeline --backbone resnet14 --modules 3 --worker-counts 9', /--worker-counts: 9; allowed/],
    ['step --backbone resnet14 --accumulate 8 --backend cpu', /--accumulate: 8; allowed: integers from 1 to 4/],
    ['scaling --depths 8 --accumulate 8 --backend cpu', /--accumulate: 8; allowed: integers from 1 to 4/],
    ['pipeline --backbone resnet14 --modules 3 --accumulate 8', /--accumulate: 8; allowed: integers from 1 to 4/],
  ])('%s', async (command, message) => {
    const { exitCode, stderr } = await runCaptured('bench', ...command.split(' '), ...tiny);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('explain --accumulate', async () => {
    const { exitCode, stderr } = await runCaptured(
      'explain',
      '--backbone',
      'resnet8',
      '--batch',
      '4',
      '--accumulate',
      '8',
    );
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/--accumulate: 8; allowed: integers from 1 to 4/)]);
  });

  it('rejects an empty list of methods', async () => {
    const { exitCode, stderr } = await runCaptured('bench', 'step', '--methods', '');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--methods is empty: perhaps an unset variable')]);
  });
});
