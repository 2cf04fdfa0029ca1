import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Verdicts of one target, kept in `node_modules/.cache`, so that an interrupted run can be resumed. */
export class Results {
  #file;
  #inputs;
  #verdicts = new Map();

  /**
   * @param keepKilled keep the verdicts on killed mutants although tests or sources have changed
   */
  constructor(root, { name, files, tests }, keepKilled) {
    const folder = join(root, 'node_modules/.cache/localgrad-mutants');
    mkdirSync(folder, { recursive: true });
    this.#file = join(folder, `${name}.json`);
    const hash = createHash('sha256');
    for (const file of [...files, ...tests]) hash.update(readFileSync(join(root, file)));
    this.#inputs = hash.digest('hex');
    const { inputs, verdicts = [] } = read(this.#file);
    const isValid = inputs === this.#inputs;
    this.#verdicts = new Map(verdicts.filter(([, { state }]) => isValid || (keepKilled && state !== 'survived')));
    if (keepKilled) for (const [id, { state }] of this.#verdicts) if (state === 'survived') this.#verdicts.delete(id);
  }

  get(mutant) {
    return this.#verdicts.get(mutant.id);
  }

  set(mutant, verdict) {
    this.#verdicts.set(mutant.id, verdict);
    writeFileSync(this.#file, JSON.stringify({ inputs: this.#inputs, verdicts: [...this.#verdicts] }));
  }
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
