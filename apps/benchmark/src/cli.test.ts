import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('the entry of the program', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-entry-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the entry, as a module or as a script, in a Node that says that it has another version. */
  function startedBy(version: string, extension: 'mjs' | 'cjs') {
    const entry = join(folder, `cli.${extension}`);
    copyFileSync(new URL('./cli.ts', import.meta.url), entry);
    writeFileSync(join(folder, 'main.js'), "console.log('started')");
    const pretend = join(folder, 'pretend.cjs');
    writeFileSync(
      pretend,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', pretend, entry], { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  describe.each(['mjs', 'cjs'] as const)('as .%s', (extension) => {
    it.each(['6.17.1', '12.22.0', '18.20.4', '20.9.0', '20.18.3'])('rejects Node %s with one sentence', (version) => {
      expect(startedBy(version, extension)).toEqual({
        status: 1,
        stdout: '',
        stderr: `localgrad: Node.js 20.19 or later is required; this is ${version}.\n`,
      });
    });

    it.each(['20.19.0', '22.1.0', '100.0.0'])('starts in Node %s', (version) => {
      expect(startedBy(version, extension)).toEqual({ status: 0, stdout: 'started\n', stderr: '' });
    });
  });

  it('requires the version that the package requires', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(manifest.engines.node).toBe('>=20.19');
  });

  it('has no syntax that is younger than dynamic imports', () => {
    const text = readFileSync(new URL('./cli.ts', import.meta.url), 'utf8');
    expect(text).not.toMatch(/=>|`|\b(?:const|let|class|async|await)\b|\?\.|\?\?|^import /m);
  });
});
