export type Split = 'train' | 'validation' | 'test';

/** Words in the names of files, as the library `datasets` of Hugging Face reads them. */
const words: Readonly<Record<string, Split>> = {
  train: 'train',
  training: 'train',
  validation: 'validation',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  test: 'test',
  testing: 'test',
  eval: 'test',
  evaluation: 'test',
};

/**
 * The split of a file: the last of the words in its name, which other characters than letters separate (`test-00000-of-00001`,
 * `mnist_test0`). Training, if there is none.
 */
export function splitOf(name: string): Split {
  const parts = name
    .replace(/\.parquet$/, '')
    .toLowerCase()
    .split(/[^\p{L}]+/u);
  const word = parts.findLast((part) => Object.hasOwn(words, part));
  return word === undefined ? 'train' : (words[word] ?? 'train');
}
