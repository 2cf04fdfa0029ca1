import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const programs = join(import.meta.dirname, '../../docs/programs');
const before = process.cwd();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-programs-'));
  process.chdir(folder);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program in an empty folder. @returns what it printed, one entry per line */
async function run(name: string): Promise<string[]> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void lines.push(words.join(' ')));
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  await import(/* @vite-ignore */ join(programs, name));
  return lines;
}

const expected: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'resolve-method.mjs': [
    /^lam\(mlm\(dgl\)\) \{"decorator":"lam","of":\{"decorator":"mlm","of":\{"method":"dgl","head":"1c2f"\},"window":3\}/,
    /"momentum":0,/,
    'mlm(own) ./own-method.mjs',
  ],
  'run.mjs': [/^run [0-9a-f]{12}: finished, test accuracy [\d.]+, resumed 1 time$/],
  'predict.mjs': [/^first image: (.+); with TensorFlow\.js alone: \1$/],
  'own-model.mjs': [
    /^module 0: stem_relu/,
    /^module 1: /,
    /^module 2: /,
    /^test accuracy (0\.\d{3}), of model\.evaluate \1$/,
  ],
  'sweep.mjs': [
    /^6 runs, at most \d+ bytes$/,
    ...['greedy, seed 1', 'dgl, seed 1', 'end to end, seed 1'].map((name) => `finished ${name}`),
    ...['greedy, seed 2', 'dgl, seed 2', 'end to end, seed 2'].map((name) => `finished ${name}`),
    '6 finished in localgrad-sweeps/hosts',
    'report/report.html',
  ],
  'experiment.mjs': [/^epoch 1 /, /^features 200,/],
  'explain.mjs': [/^module0 independent 0–0$/, /./, /./, /./, /final/, /× the memory of end-to-end training$/],
  'bench.mjs': [/^backprop \d/, /^backprop\+recompute \d/, /^dgl [\d.]+ ms \d+ bytes$/],
  'verify.mjs': [/^.+ \d\.\de[+-]\d+$/, 'all agree'],
};

/** Files that a program writes. */
const written: Readonly<Record<string, string>> = { 'explain.mjs': 'plan.svg', 'sweep.mjs': 'report/report.html' };

it('experiment.mjs consists of the blocks of its page', () => {
  const docs = join(programs, '..');
  const page = readFileSync(join(docs, 'experiments-in-programs.md'), 'utf8');
  const blocks = [...page.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
  const [, program] = readFileSync(join(programs, 'experiment.mjs'), 'utf8').split(/^\/\/ .*\n/);
  expect(blocks.join('\n')).toBe(program);
});

it('covers every program', () => {
  // Worker threads run builds only: packages/pipeline tests pipeline.mjs.
  const others = ['own-method.mjs', 'pipeline.mjs'];
  const found = readdirSync(programs).filter((name) => name.endsWith('.mjs') && !others.includes(name));
  expect(found.sort()).toEqual(Object.keys(expected).sort());
});

it.each(Object.entries(expected))(
  '%s prints its documented lines, and writes its file',
  { timeout: 120_000 },
  async (name, lines) => {
    const printed = await run(name);
    expect(printed.at(-1)).toMatch(lines.at(-1) ?? /./);
    for (const [index, line] of lines.slice(0, -1).entries()) expect(printed[index]).toMatch(line);
    expect(existsSync(join(folder, written[name] ?? '.'))).toBe(true);
  },
);
