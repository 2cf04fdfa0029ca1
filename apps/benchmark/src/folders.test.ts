import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSystem } from '@localgrad/runs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runCaptured as run } from './command-line.fixture.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'localgrad-folders-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const flags = [
  '--backbone',
  'tiny',
  '--modules',
  '2',
  '--resize',
  '8',
  '--train-images',
  '40',
  '--test-images',
  '20',
].concat(['--batch', '20', '--epochs', '1', '--backend', 'wasm', '--threads', '1']);
const train = (output: string, ...more: string[]) => run('train', ...flags, '--output', output, ...more);

describe('localgrad train --output', () => {
  it.each([
    ['an empty path', () => '', /^localgrad: --output is empty: perhaps an unset variable\./],
    ['a file', () => join(folder, 'file'), /^localgrad: --output: '.*' is a file or lies below one\./],
    ['a path below a file', () => join(folder, 'file', 'run'), /is a file or lies below one\./],
    ['a name that is too long', () => join(folder, 'a'.repeat(300)), /the name is too long for the file system/],
  ])('rejects %s in one line, with exit code 2', async (_, output, message) => {
    writeFileSync(join(folder, 'file'), '');
    const { exitCode, stderr } = await train(output());
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it("rejects somebody else's project and config.yaml, and changes nothing", async () => {
    const project = join(folder, 'project');
    mkdirSync(join(project, 'checkpoints'), { recursive: true });
    writeFileSync(join(project, 'checkpoints', 'best_model.pt'), 'mine');
    const own = await train(project, '--csv');
    expect(own.exitCode).toBe(2);
    expect(own.stderr).toMatch(/was not created by localgrad: it contains 'checkpoints'\./);
    expect(readdirSync(project, { recursive: true }).sort()).toEqual(['checkpoints', 'checkpoints/best_model.pt']);
    writeFileSync(join(folder, 'config.yaml'), 'model: [');
    rmSync(project, { recursive: true });
    const foreign = await train(folder);
    expect(foreign.exitCode).toBe(2);
    expect(foreign.stderr).toMatch(
      /Its 'config\.yaml' is not the config of a localgrad run\. Choose a new or empty folder/,
    );
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).toBe('model: [');
  });

  it('works on a file system without hard links', async () => {
    vi.spyOn(fileSystem, 'link').mockRejectedValue(Object.assign(new Error('EPERM'), { code: 'EPERM' }));
    const { exitCode, stderr } = await train(join(folder, 'run'));
    expect(exitCode, stderr).toBe(0);
    expect(readdirSync(join(folder, 'run'))).toContain('summary.json');
  });
});

describe('a sweep with one broken summary', () => {
  it.each(['', 'null', '[]'])(
    'is shown, reported and worked on (%j)',
    async (content) => {
      const file = join(folder, 'e.yaml');
      writeFileSync(
        file,
        `name: e
base: { method: "{m}", backbone: tiny, modules: 2, resize: 8, trainImages: 40, testImages: 20, epochs: 1, batch: 20, backend: wasm, threads: 1 }
factors: { m: [greedy, dgl] }
seeds: 1
`,
      );
      const sweep = join(folder, 'sweep');
      expect((await run('sweep', 'run', file, '--folder', sweep, '--executor', 'debug')).exitCode).toBe(0);
      const [first = ''] = readdirSync(join(sweep, 'runs'));
      const summary = join(sweep, 'runs', first, 'summary.json');
      writeFileSync(summary, content);

      const status = await run('sweep', 'status', sweep);
      expect(status.exitCode, status.stderr).toBe(0);
      expect(status.stdout).toContain('2 runs: 1 finished, 1 unreadable\n');
      expect(status.stdout).toMatch(
        /unreadable (greedy|dgl), seed 1: '.*summary\.json' is damaged: .* Workers will try it again\./,
      );

      const report = await run('report', sweep);
      expect(report.exitCode, report.stderr).toBe(0);
      expect(report.stdout).toContain('1 of 2 runs');
      expect(report.stderr).toContain(`'${summary}' is damaged`);

      const worker = await run('worker', sweep);
      expect(worker.exitCode, worker.stderr).toBe(0);
      expect(worker.stdout).toContain('finished 1 runs');
      expect(worker.stderr).toMatch(/note {6}'.*summary\.json' is damaged: .* The run is repeated/);
      expect((await run('sweep', 'status', sweep)).stdout).toContain('2 runs: 2 finished\n');
    },
    180_000,
  );
});
