// Mutation testing: changes the sources in one place at a time, and counts the changes that the tests beside them notice.
//   npm run mutants -- [--only claim,mlm] [--sample 40] [--seed 1] [--survivors] [--fresh]
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isSame, obsoleteAmong, readEquivalents } from './equivalents.mjs';
import { mutantsOf } from './mutate.mjs';
import { printTable } from './print-table.mjs';
import { Results } from './results.mjs';
import { sampleOf } from './sample.mjs';
import { judge } from './sessions.mjs';
import { targets } from './targets.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const leastScore = 0.95;

const { values } = parseArgs({
  options: {
    /** Names of targets, separated by commas. */
    only: { type: 'string', default: '' },
    /** Number of mutants, over all selected targets; 0 for all. */
    sample: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    /** Runs only the mutants that survived the last run, or were not part of it: for use while writing tests. */
    survivors: { type: 'boolean', default: false },
    /** Drops the verdicts of an interrupted run. */
    fresh: { type: 'boolean', default: false },
  },
});

process.exitCode = (await main()) ? 0 : 1;

async function main() {
  const names = values.only === '' ? targets.map(({ name }) => name) : values.only.split(',');
  const unknown = names.filter((name) => !targets.some((target) => target.name === name));
  if (unknown.length > 0) {
    console.error(`--only: unknown '${unknown.join("', '")}'; allowed: ${targets.map(({ name }) => name).join(', ')}`);
    return false;
  }
  const selected = targets.filter(({ name }) => names.includes(name));
  const all = new Map(selected.map((target) => [target, target.files.flatMap(read)]));
  const equivalents = readEquivalents();
  const obsolete = obsoleteAmong(
    equivalents,
    targets.flatMap(({ files }) => files.flatMap(read)),
  );
  for (const { file, before, after } of obsolete) {
    console.error(`equivalent.json: no such mutant any more in ${file}: ${before} → ${after}`);
  }
  const isEquivalent = (mutant) => equivalents.some((entry) => isSame(entry, mutant));
  const sample = new Set(sampleOf([...all.values()].flat(), Number(values.sample), Number(values.seed)));
  const rows = [];
  for (const [target, mutants] of all) {
    if (values.fresh) rmSync(join(root, `node_modules/.cache/localgrad-mutants/${target.name}.json`), { force: true });
    const results = new Results(root, target, values.survivors);
    const chosen = mutants.filter((mutant) => sample.has(mutant));
    const open = chosen.filter((mutant) => !isEquivalent(mutant) && results.get(mutant) === undefined);
    let done = 0;
    await judge(target.tests, open, (mutant, verdict) => {
      results.set(mutant, verdict);
      if (verdict.state === 'survived') printSurvivor(mutant);
      if (++done % 25 === 0) console.error(`${target.name}: ${done} of ${open.length}`);
    });
    for (const file of target.files) {
      const inFile = chosen.filter((mutant) => mutant.file === file);
      const judged = inFile.filter((mutant) => !isEquivalent(mutant));
      const states = judged.map((mutant) => results.get(mutant)?.state);
      rows.push({
        target: target.name,
        file,
        mutants: inFile.length,
        equivalent: inFile.length - judged.length,
        states,
      });
      judged.forEach((mutant, index) => {
        if (states[index] === 'survived' && !open.includes(mutant)) printSurvivor(mutant);
      });
    }
  }
  const isEnough = printTable(rows, leastScore, Number(values.sample) > 0);
  return isEnough && obsolete.length === 0;
}

function read(file) {
  return mutantsOf(file, readFileSync(join(root, file), 'utf8'));
}

function printSurvivor({ file, line, before, after }) {
  console.log(`survived: ${file}:${line}\n  - ${before}\n  + ${after}`);
}
