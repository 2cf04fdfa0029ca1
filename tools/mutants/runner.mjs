import { TestRunner } from 'vitest';

const longestLoop = 300_000;
const failed = new Set();
let rounds = 0;

globalThis.countMutantLoop = () => {
  if (++rounds > longestLoop) throw new Error('The mutant runs in an endless loop.');
};

/** Identifies the mutant of a test module: `/…/claim.test.ts?mutant=17`. */
const mutantOf = (path) => /\?mutant=(.*)$/.exec(path)?.[1] ?? '';

/** Skips what is left of a mutant's tests after the first failure. */
export default class MutantRunner extends TestRunner {
  importFile(path, source) {
    if (source === 'setup') return super.importFile(path, source);
    rounds = 0;
    return failed.has(mutantOf(path)) ? undefined : super.importFile(path, source);
  }

  onBeforeRunTask(test) {
    if (failed.has(mutantOf(test.file.filepath))) test.mode = 'skip';
    rounds = 0;
    return super.onBeforeRunTask(test);
  }

  onAfterRunTask(test) {
    if (test.result?.state === 'fail') failed.add(mutantOf(test.file.filepath));
    return super.onAfterRunTask(test);
  }
}
