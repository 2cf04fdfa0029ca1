import { expect, describe as group, it } from 'vitest';
import { canonicalJson, sha256 } from '../folder/hash.js';
import { checkpointFile, checkpointName, oldestFirst } from './checkpoint-name.js';
import { describe, readDescription } from './description.js';

group('names of checkpoints', () => {
  it('are sorted by attempt, then by step', () => {
    const names = [
      checkpointName(30, 1),
      checkpointName(10, 2),
      checkpointName(20, 1),
      checkpointName(5, 0),
      checkpointName(40, 2),
      checkpointName(100_000_000, 1),
    ];
    expect(names.sort(oldestFirst).map(({ step, attempt }) => [attempt, step])).toEqual([
      [0, 5],
      [1, 20],
      [1, 30],
      [1, 100_000_000],
      [2, 10],
      [2, 40],
    ]);
  });

  it('tell what a file contains', () => {
    const kindOf = (file: string) => checkpointFile(file)?.kind;
    expect(kindOf('step-00000120-000003.json')).toBe('description');
    expect(kindOf('step-00000120-000003.safetensors')).toBe('tensors');
    expect(kindOf('step-00000120-000003.json.0a-1f.partial')).toBe('partial');
    expect(kindOf('step-00000120-000003.safetensors.0a-1f.partial')).toBe('partial');
    expect(checkpointFile('step-00000120-000003.json')?.of).toEqual({
      name: 'step-00000120-000003',
      step: 120,
      attempt: 3,
    });
  });
});

group('the description of a checkpoint', () => {
  const progress = {
    step: 0,
    epoch: 1,
    batchesDone: 0,
    losses: {},
    records: [{ epoch: 1 }],
    seconds: 0,
    totalSeconds: 0.5,
    resumptions: 0,
  };
  const whole = { formatVersion: 1, runId: 'abc', tensors: { bytes: 0, sha256: '' }, progress, notes: null };
  const read = (description: object) =>
    readDescription(JSON.stringify({ sha256: sha256(canonicalJson(description)), ...description }), 'a.json');

  it('has one line per key, so that a difference can be read', () => {
    expect(describe(whole as unknown as Parameters<typeof describe>[0])).toMatch(
      /^\{\n "sha256": "[0-9a-f]{64}",\n "form/,
    );
  });

  it('may have zeros wherever training has not begun', () => {
    expect(read(whole)).toEqual(whole);
  });

  it.each([
    ['seconds', { seconds: -0.5 }],
    ['totalSeconds', { totalSeconds: -1 }],
    ['epoch', { epoch: 0 }],
    ['step', { step: -1 }],
    ['step', { step: 0.5 }],
    ['records.0.epoch', { records: [{ epoch: 0 }] }],
  ])('is rejected for an impossible value of %s', (path, change) => {
    const problem = { problem: expect.stringContaining(`it is not a description (progress.${path}: `) };
    expect(read({ ...whole, progress: { ...progress, ...change } })).toEqual(problem);
  });

  it('names the syntax error of a cut file', () => {
    expect(readDescription('{"sha256": ', 'a.json')).toEqual({
      problem: expect.stringMatching(/^it is not JSON \(Unexpected end of JSON input\)$/),
    });
  });
});
