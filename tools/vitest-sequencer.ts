import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of a few lines whose tests take half a minute and more. */
const long = [
  /heads\.slow\.test/,
  /backends\/kernels\.test/,
  /readers\.slow\.test/,
  /steps\.slow\.test/,
  /leaks\.slow\.test/,
];

/** Vitest starts large files first, and would wait at the end for a small one that takes long. */
export default class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => long.some((pattern) => pattern.test(moduleId));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
