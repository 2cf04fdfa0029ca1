import { Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from './command-line.js';
import { optionDescription } from './help.js';

describe('optionDescription', () => {
  it.each([
    ['a text', new Option('--backend <name>', 'backend').default('wasm'), 'backend (default: wasm)'],
    ['a number', new Option('--seeds <number>', 'seeds').default(3), 'seeds (default: 3)'],
    ['a list', new Option('--depths <list>', 'depths').default([8, 20]), 'depths (default: 8,20)'],
    ['an empty list', new Option('--include <list>', 'baselines').default([]), 'baselines'],
    ['a switch', new Option('--gpu', 'for GPUs').default(false), 'for GPUs'],
    ['its description', new Option('--budget <bytes>', 'budget').default(1024, '1KiB'), 'budget (default: 1KiB)'],
    ['no value', new Option('--output <folder>', 'folder'), 'folder'],
  ])('prints a default as the user would type it: %s', (_, option, expected) => {
    expect(optionDescription(option)).toBe(expected);
  });

  it('lists the allowed values before the default', () => {
    const option = new Option('--resume <how>', 'whether to resume').choices(['auto', 'never']).default('auto');
    expect(optionDescription(option)).toBe('whether to resume (choices: auto, never; default: auto)');
  });

  it('describes the options of subcommands', () => {
    const stream = { write: () => undefined };
    const program = createProgram({ stdout: stream, stderr: stream }, async () => {});
    const bench = program.commands.find((command) => command.name() === 'bench');
    const memory = bench?.commands.find((command) => command.name() === 'memory');
    expect(memory?.helpInformation()).toContain('(default: 512MiB)');
  });
});
