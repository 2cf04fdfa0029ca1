import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCsv } from '../packages/bench/src/csv.js';
import { readExperiment } from '../packages/experiments/src/execution/experiment-file.js';
import { benchmarks } from './benchmark-commands.fixture.js';

function orderings(...options: string[]) {
  const { status, stderr } = spawnSync(process.execPath, [join(benchmarks, 'orderings.mjs'), ...options], {
    encoding: 'utf8',
  });
  return { status, stderr };
}

describe('orderings', () => {
  it('are up to date in docs/orderings.md', () => {
    expect(orderings('--check')).toEqual({ status: 0, stderr: '' });
  });

  it('name conditions of the recipe', async () => {
    const { conditions } = await readExperiment(join(benchmarks, 'recipes/orderings-cifar10-resnet32.yaml'));
    // The report shows each condition at its better learning rate.
    const names = conditions.map(({ name }) => name.replace(/, learningRate .*/, ''));
    for (const { better, worse } of parseCsv(readFileSync(join(benchmarks, 'orderings.csv'), 'utf8'))) {
      expect(names).toContain(better);
      expect(names).toContain(worse);
    }
  });

  describe('with a report', () => {
    let root = '';
    const page = () => readFileSync(join(root, 'docs/orderings.md'), 'utf8');
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'orderings-'));
      mkdirSync(join(root, 'benchmarks/results/orderings-cifar10-resnet32'), { recursive: true });
      mkdirSync(join(root, 'docs'));
      cpSync(join(benchmarks, 'targets.csv'), join(root, 'benchmarks/targets.csv'));
      cpSync(join(benchmarks, '../docs/orderings.md'), join(root, 'docs/orderings.md'));
      const rows = ['better,worse,better_target,worse_target,claim', 'a,b,,,A paper', 'b,c,,,A paper', 'c,a,,,A paper'];
      writeFileSync(join(root, 'benchmarks/orderings.csv'), rows.join('\n'));
    });
    afterEach(() => rmSync(root, { recursive: true }));
    const writeRuns = (accuracies: Readonly<Record<string, readonly number[]>>) => {
      const rows = Object.entries(accuracies).flatMap(([name, values]) =>
        values.map((value, seed) => `${name},${seed},finished,${value}`),
      );
      const file = join(root, 'benchmarks/results/orderings-cifar10-resnet32/runs.csv');
      writeFileSync(file, ['name,seed,status,test_accuracy', ...rows].join('\n'));
    };

    it('compares methods by seed, with an interval and a verdict', () => {
      writeRuns({ a: [0.7, 0.71, 0.72], b: [0.6, 0.61, 0.621], c: [0.59, 0.62, 0.61] });
      expect(orderings(root)).toEqual({ status: 0, stderr: '' });
      // Differences a − b: 10, 10, 9.9 points; the t quantile for two degrees of freedom is 4.303.
      expect(page()).toContain('| a | b | claimed without a number | A paper | +9.97 (+9.82 to +10.11) | yes |');
      expect(page()).toMatch(/\| b \| c \| .* \| \+0\.37 \(−\d+\.\d\d to \+\d+\.\d\d\) \| open \|/);
      expect(page()).toMatch(/\| c \| a \| .* \| no: reversed \|/);
      expect(orderings('--check', root).status).toBe(0);
    });

    it('reports a missing method and too few seeds', () => {
      writeRuns({ a: [0.7, 0.71], b: [0.6, 0.61] });
      expect(orderings(root)).toEqual({ status: 1, stderr: expect.stringMatching(/no finished run of 'c'/) });
      writeRuns({ a: [0.7], b: [0.6], c: [0.5] });
      expect(orderings(root)).toEqual({ status: 1, stderr: expect.stringMatching(/1 common seeds; 2 to 10/) });
    });
  });
});
