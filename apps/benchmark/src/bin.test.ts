import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../bin/localgrad.js', import.meta.url));

describe('bin/localgrad.js', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'localgrad-bin-'));
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    copyFileSync(program, join(folder, 'bin/localgrad.js'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the program beside a `dist/cli.js` with this text, or without one. */
  function runWith(cli: string | undefined) {
    const built = join(folder, 'dist/cli.js');
    if (cli === undefined) rmSync(built, { force: true });
    else writeFileSync(built, cli);
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'bin/localgrad.js')], {
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  it('is the file that package.json names, so that npm can link it before the build', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(manifest.bin).toEqual({ localgrad: './bin/localgrad.js' });
    expect(existsSync(program)).toBe(true);
  });

  it('starts the built program', () => {
    expect(runWith("console.log('started')")).toEqual({ status: 0, stdout: 'started\n', stderr: '' });
  });

  it('names the command that builds it before the build', () => {
    expect(runWith(undefined)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'localgrad: not built yet. Run `npm run build` in the clone.\n',
    });
  });

  it('reports the missing package, not the build, if a dependency is missing', () => {
    const { status, stderr } = runWith("import 'acme-missing';");
    expect(status).toBe(1);
    expect(stderr).toContain("Cannot find package 'acme-missing'");
    expect(stderr).not.toContain('not built');
  });
});
