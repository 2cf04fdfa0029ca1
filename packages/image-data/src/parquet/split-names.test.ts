import { describe, expect, it } from 'vitest';
import { sameClasses } from './class-names.js';
import { splitOf } from './split-names.js';

describe('splitOf', () => {
  // As split by load_dataset of Hugging Face's `datasets`.
  it.each([
    ['train-00000-of-00001.parquet', 'train'],
    ['0000.parquet', 'train'],
    ['latest.parquet', 'train'],
    ['contest-1.parquet', 'train'],
    ['training.parquet', 'train'],
    ['test-00000-of-00001.parquet', 'test'],
    ['test_0.parquet', 'test'],
    ['test0.parquet', 'test'],
    ['mnist-test.parquet', 'test'],
    ['Testing 1.parquet', 'test'],
    ['eval-0.parquet', 'test'],
    ['crash-test-train-00000.parquet', 'train'],
    ['validation_01.parquet', 'validation'],
    ['val.parquet', 'validation'],
    ['dev.parquet', 'validation'],
  ])('%s is a file of %s', (name, split) => {
    expect(splitOf(name)).toBe(split);
  });
});

describe('sameClasses', () => {
  const known = { names: ['cat', 'dog'], path: 'train.parquet' };

  it('accepts files with the same names, and files without', () => {
    expect(sameClasses('a', undefined, undefined)).toBeUndefined();
    expect(sameClasses('a', ['cat', 'dog'], undefined)).toEqual({ names: ['cat', 'dog'], path: 'a' });
    expect(sameClasses('a', undefined, known)).toBe(known);
    expect(sameClasses('a', ['cat', 'dog'], known)).toBe(known);
    expect(sameClasses('a', ['cat', 'dog'], { names: ['0', '1'] })).toEqual({ names: ['0', '1'] });
  });

  it.each([
    [['dog', 'cat'], /test\.parquet: label 0 is 'dog', but 'cat' in train\.parquet\. All files/],
    [['cat', 'dog', 'emu'], /label 2 is 'emu', but no class in train/],
    [['cat'], /label 1 is no class, but 'dog' in train/],
  ])('rejects a file whose labels mean other classes: %j', (names, message) => {
    expect(() => sameClasses('test.parquet', names, known)).toThrow(message);
  });
});
