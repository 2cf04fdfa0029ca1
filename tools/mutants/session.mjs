// Runs the tests of one target for many mutants in one worker of vitest: a process of `sessions.mjs`, which sends the job and
// receives the verdicts. Starting vitest and TensorFlow.js for each mutant would take most of the time.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { createVitest } from 'vitest/node';
import { changedText } from './mutate.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** By the clock, for tests that wait for what never comes; generous, since a busy machine must not kill mutants. */
const testTimeout = 60_000;

/** Control runs use the unchanged sources. */
const isControl = (name) => name.startsWith('control');

process.once('message', (job) => void run(job));
// The worker ends with this process, and both with the command.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'));

/** @param job `{ tests, mutants, rounds }`: `rounds` are names of controls and indices of mutants, in order */
async function run({ tests, mutants, rounds }) {
  const testPaths = tests.map((file) => join(root, file));
  const dependents = new Map();
  const plugin = mutatedModules(mutants, (file) => dependents.get(file));
  const vitest = await createVitest(
    'test',
    {
      root,
      watch: false,
      isolate: false,
      pool: 'forks',
      maxWorkers: 1,
      fileParallelism: false,
      testTimeout,
      hookTimeout: testTimeout,
      coverage: { enabled: false },
      cache: false,
      runner: fileURLToPath(new URL('runner.mjs', import.meta.url)),
      sequence: { sequencer: GivenOrder },
      reporters: [reporter],
      dangerouslyIgnoreUnhandledErrors: true,
    },
    { plugins: [plugin] },
  );
  await vitest.standalone();
  const project = vitest.getRootProject();
  const imports = await importsFrom(testPaths, project.vite.environments.ssr.pluginContainer);
  for (const { file } of mutants) dependents.set(file, importersOf(join(root, file), imports));
  const specifications = rounds.flatMap((round) =>
    testPaths.map((path) => project.createSpecification(`${path}?mutant=${round}`)),
  );
  await vitest.runTestSpecifications(specifications);
  await vitest.close();
  process.disconnect();
}

/** Reports the verdict of each test module. */
const reporter = {
  onTestModuleEnd(module) {
    const [, round] = /\?mutant=(.*)$/.exec(module.moduleId) ?? [];
    const [failure] = module.children.allTests('failed');
    const error = failure?.result().errors?.[0] ?? module.errors()[0];
    const passed = module.state() === 'passed' || module.state() === 'skipped';
    process.send?.({ round, passed, test: failure?.name, message: error?.message?.slice(0, 300) });
  },
};

class GivenOrder {
  shard = (files) => files;
  sort = (files) => files;
}

/**
 * Gives each mutant its own copies of the mutated module and of all modules that import it, directly or not: a module
 * `x.ts?mutant=17`. All other modules are shared.
 */
function mutatedModules(mutants, dependentsOf) {
  const parse = (id) => /^(.*)\?mutant=(.*)$/.exec(id) ?? [];
  const fileOf = (round) => (isControl(round) ? mutants[0] : mutants[Number(round)]).file;
  return {
    name: 'localgrad-mutants',
    enforce: 'pre',
    async resolveId(source, importer) {
      // Vite shortens the path of a test module.
      if (parse(source)[2] !== undefined) return source.startsWith(root) ? source : join(root, source);
      const [, path, round] = importer === undefined ? [] : parse(importer);
      if (round === undefined) return null;
      const resolved = await this.resolve(source, path, { skipSelf: true });
      if (resolved === null || !dependentsOf(fileOf(round)).has(resolved.id)) return resolved;
      return `${resolved.id}?mutant=${round}`;
    },
    load(id) {
      const [, path, round] = parse(id);
      if (path === undefined) return null;
      const text = readFileSync(path, 'utf8');
      if (isControl(round)) return text;
      const mutant = mutants[Number(round)];
      return path === join(root, mutant.file) ? changedText(path, text, mutant) : text;
    },
  };
}

/** The modules of this repository that the tests import, directly or not, each with its imports. */
async function importsFrom(paths, container) {
  const imports = new Map();
  const open = [...paths];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (imports.has(path)) continue;
    const found = [];
    for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8'), true, true).importedFiles) {
      const resolved = fileName.startsWith('.')
        ? resolve(dirname(path), fileName.replace(/\.js$/, '.ts'))
        : (await container.resolveId(fileName, path))?.id;
      if (resolved?.startsWith(root) && resolved.endsWith('.ts') && !resolved.includes('node_modules'))
        found.push(resolved);
    }
    imports.set(path, found);
    open.push(...found);
  }
  return imports;
}

/** The module itself and all that import it, directly or not. */
function importersOf(path, imports) {
  const result = new Set([path]);
  for (let size = 0; size !== result.size; ) {
    size = result.size;
    for (const [importer, imported] of imports) if (imported.some((one) => result.has(one))) result.add(importer);
  }
  return result;
}
