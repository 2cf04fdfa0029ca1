import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('test-totals.mjs', import.meta.url));

interface Suite {
  readonly name?: string;
  readonly statuses: readonly string[];
  readonly exitStatus: number;
  readonly fileStatus?: string;
}

describe('test-totals', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'totals-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function total(steps: readonly string[], suite?: Suite) {
    writeFileSync(join(folder, 'steps.txt'), steps.map((line) => `${line}\n`).join(''));
    if (suite !== undefined) {
      const assertionResults = suite.statuses.map((status, index) => ({ status, fullName: `test ${index}` }));
      const file = { name: 'some.test.ts', status: suite.fileStatus ?? 'passed', assertionResults };
      const report = { numTotalTests: suite.statuses.length, testResults: [file] };
      const name = suite.name ?? 'all';
      writeFileSync(join(folder, `vitest-${name}.json`), JSON.stringify(report));
      writeFileSync(join(folder, `vitest-${name}.status`), `${suite.exitStatus}\n`);
    }
    const { stdout, status } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
    return { last: stdout.trimEnd().split('\n').at(-1), status };
  }

  it('sums tests and steps', () => {
    const suite = { statuses: ['passed', 'passed', 'skipped'], exitStatus: 0 };
    expect(total(['passed lint', 'passed build'], suite)).toEqual({ last: '4 passed, 0 failed', status: 0 });
  });

  it('counts failing tests and steps once each', () => {
    const suite = { statuses: ['passed', 'failed'], exitStatus: 1, fileStatus: 'failed' };
    expect(total(['passed lint', 'failed build'], suite)).toEqual({ last: '2 passed, 2 failed', status: 1 });
  });

  it('sums suites, and reports one without a report file', () => {
    total([], { name: 'native', statuses: ['passed'], exitStatus: 0 });
    const suite = { statuses: ['passed', 'passed'], exitStatus: 0 };
    expect(total([], suite)).toEqual({ last: '3 passed, 0 failed', status: 0 });
    writeFileSync(join(folder, 'vitest-other.status'), '1\n');
    expect(total([], suite)).toEqual({ last: '3 passed, 1 failed', status: 1 });
  });

  it('counts a file that cannot be loaded', () => {
    const suite = { statuses: [], exitStatus: 1, fileStatus: 'failed' };
    expect(total([], suite)).toEqual({ last: '0 passed, 1 failed', status: 1 });
  });

  it('fails when the suite fails outside its tests', () => {
    expect(total([], { statuses: ['passed'], exitStatus: 1 })).toEqual({ last: '1 passed, 1 failed', status: 1 });
  });

  it('quotes why tests failed, and what went wrong outside of them', () => {
    total([], { statuses: ['passed'], exitStatus: 1 });
    writeFileSync(join(folder, 'vitest-all.log'), 'a test\nUnhandled Error\nthe worker has ended\n');
    const { stdout } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
    expect(stdout).toContain('exit status 1)\n    Unhandled Error\n    the worker has ended\n');
    const failed = { status: 'failed', fullName: 'adds', failureMessages: ['expected 3'] };
    const report = { numTotalTests: 1, testResults: [{ name: 'a.test.ts', assertionResults: [failed] }] };
    writeFileSync(join(folder, 'vitest-all.json'), JSON.stringify(report));
    const second = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
    expect(second.stdout).toContain('failed: all: test adds (a.test.ts)\n    expected 3\n');
  });

  it('names the tests that did not finish, as when their process ended', () => {
    const tests = ['passed', 'pending', 'pending'].map((status, index) => ({ status, fullName: `test ${index}` }));
    const report = {
      numTotalTests: 3,
      testResults: [{ name: 'a.test.ts', status: 'passed', assertionResults: tests }],
    };
    total([], { statuses: [], exitStatus: 1 });
    writeFileSync(join(folder, 'vitest-all.json'), JSON.stringify(report));
    const { stdout } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
    expect(stdout).toContain('not finished: a.test.ts: 2 tests, the first is test 1');
  });

  it('fails without reports', () => {
    expect(total(['passed lint'])).toEqual({ last: '1 passed, 1 failed', status: 1 });
  });
});
