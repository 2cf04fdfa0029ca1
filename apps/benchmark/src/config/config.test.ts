import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { parseRunFile, readRunFile, runConfigKeys, runConfigSchema } from '@localgrad/runs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addConfigFlags, flagOf, resolveRunConfig } from './flags.js';

function problemsOf(text: string): string[] {
  try {
    parseRunFile(text, 'run.yaml');
  } catch (error) {
    if (LocalgradError.isInstance(error)) return error.message.split('\n');
    throw error;
  }
  return [];
}

async function parse(args: readonly string[], base: object = {}) {
  const command = addConfigFlags(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse(args, { from: 'user' });
  return resolveRunConfig(command, undefined, base);
}

describe('run file', () => {
  it('is read as it is written', () => {
    expect(parseRunFile('method: "dgl(head: 1c2f)"\nmodules: 16\npartition: [2, 3, 4]\n', 'run.yaml')).toEqual({
      method: 'dgl(head: 1c2f)',
      modules: 16,
      partition: [2, 3, 4],
    });
    expect(parseRunFile('', 'run.yaml')).toEqual({});
  });

  it('names a wrong key at file:line:column, with the right ones', () => {
    const [problem = ''] = problemsOf('method: dgl\nepoch: 3\n');
    expect(problem).toMatch(
      /^run\.yaml:2:1: unknown key 'epoch'\. Did you mean 'epochs'\? Allowed: method, backbone, /,
    );
    for (const key of runConfigKeys) expect(problem).toContain(key);
  });

  it('names every wrong value where it stands', () => {
    expect(problemsOf('method: dgl\nepochs: many\nbatch: 0\npartition: odd\n')).toEqual([
      'run.yaml:2:9: epochs: expected a number; found "many"',
      'run.yaml:3:8: batch: expected a number ≥ 1; found 0',
      expect.stringMatching(/^run\.yaml:4:12: partition: expected one of .*balanced-memory.*found "odd"$/),
    ]);
  });

  it('places YAML that cannot be read', () => {
    expect(problemsOf('method: "dgl\n')[0]).toMatch(/^run\.yaml:\d+:\d+: Missing closing "quote/);
    expect(problemsOf('method: dgl(head: 1c2f)\n')).toEqual([
      'run.yaml:1:9: Nested mappings are not allowed in compact mappings; a value with a colon in it needs quotes: method: "dgl(head: 1c2f)"',
    ]);
    expect(problemsOf('a: 1\na: 2\n')[0]).toMatch(/^run\.yaml:2:1: Map keys must be unique/);
    expect(problemsOf('- dgl\n')[0]).toMatch(/^run\.yaml:1:1: expected keys and values/);
  });

  it('reports a missing file', async () => {
    await expect(readRunFile('no-such-file.yaml')).rejects.toThrow(
      /Cannot read 'no-such-file\.yaml': it does not exist/,
    );
  });
});

describe('flags', () => {
  it('exist for every key of the config', () => {
    const command = addConfigFlags(new Command());
    const flags = command.options.map((option) => option.long);
    expect(flags).toEqual(
      runConfigKeys.flatMap((key) => (key === 'backbone' ? ['--backbone', '--model'] : [`--${flagOf(key)}`])),
    );
  });

  it('accept each default that is a number', async () => {
    const defaults = Object.entries(runConfigSchema.parse({})).filter(([, value]) => typeof value === 'number');
    expect(defaults.length).toBeGreaterThan(10);
    for (const [key, value] of defaults) {
      expect(await parse([`--${flagOf(key)}`, String(value)])).toEqual(runConfigSchema.parse({}));
    }
  });

  it('override the file, which overrides the defaults', async () => {
    const config = await parse(['--batch', '8', '--partition', '1,3', '--no-nesterov', '--threads', 'auto'], {
      batch: 4,
      epochs: 9,
    });
    expect(config).toMatchObject({ batch: 8, partition: [1, 3], nesterov: false, threads: 'auto', epochs: 9, seed: 1 });
    expect(await parse([])).toEqual(runConfigSchema.parse({}));
  });

  it('determine the number of modules by the blocks per module, also beside the default that earlier run folders recorded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-config-'));
    const file = join(folder, 'config.yaml');
    await writeFile(file, 'modules: 4\npartition: [2, 2, 3]\n');
    const read = (...args: string[]) =>
      resolveRunConfig(addConfigFlags(new Command()).parse(args, { from: 'user' }), file);
    expect(await read()).toMatchObject({ modules: 3, partition: [2, 2, 3] });
    expect(await read('--partition', '3,4')).toMatchObject({ modules: 2 });
    await expect(read('--modules', '4')).rejects.toThrow('--modules: 4, but partition 2,2,3 has 3 modules; remove one');
    await writeFile(file, 'modules: 5\npartition: [2, 2, 3]\n');
    await expect(read()).rejects.toThrow(`${file}:1:10: modules: 5, but partition 2,2,3 has 3 modules; remove one`);
    await expect(read('--partition', '3,4')).rejects.toThrow('modules: 5, but --partition 3,4 has 2 modules');
    await rm(folder, { recursive: true });
  });

  it('are rejected with their name, value and the allowed values', async () => {
    await expect(parse(['--epochs', 'many'])).rejects.toThrow('--epochs: expected a number; found "many"');
    await expect(parse(['--learning-rate', '-1'])).rejects.toThrow('--learning-rate: expected a number ≥ 0; found -1');
    await expect(parse(['--memory', 'none'])).rejects.toThrow(/--memory: expected one of .*residuals.*recompute/);
  });
});
