import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { standardCatalog } from '@localgrad/catalog';
import { parseExperiment } from '@localgrad/experiments';
import { parseRunFile, runConfigSchema } from '@localgrad/runs';
import { type Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from './command-line.js';

const root = resolve(import.meta.dirname, '../../..');
const skipped = ['node_modules', 'api', 'dist', 'templates', 'results', 'gpu'];

function markdownFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Blocks of a language, with the line of their first line. */
function blocksOf(page: string, language: string): { readonly line: number; readonly block: string }[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ({ 1: block = '', index }) => ({ line: text.slice(0, index).split('\n').length + 1, block }),
  );
}

/** Commands in blocks of shell code, as `[page:line, arguments]`. */
function commandsOf(page: string): (readonly [place: string, args: readonly string[]])[] {
  return blocksOf(page, '(?:sh)?').flatMap(({ line: first, block }) => {
    return block.split('\n').flatMap((line, offset) => {
      const command = /^(?:npx |npm run (?:--silent )?)?localgrad (?:-- )?(.*)$/.exec(line)?.[1];
      return command === undefined ? [] : [[`${page}:${first + offset}`, words(command)] as const];
    });
  });
}

/** Commands within sentences and tables, of which only the part that matters may be given, as `[page, arguments]`. */
function inlineCommandsOf(page: string): (readonly [page: string, args: readonly string[]])[] {
  const prose = readFileSync(join(root, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/`(?:npx |npm run (?:--silent )?)?localgrad (?:-- )?([a-z][^`]*)`/g)].flatMap(
    ([, line = '']) =>
      line
        .replaceAll(/\s+/g, ' ')
        .split(' && localgrad ')
        .map((command) => [page, words(command)] as const),
  );
}

/** Names of a command's leaves, as typed: `sweep run`. */
function leavesOf(command: Command, path: readonly string[] = []): string[] {
  return command.commands.length === 0
    ? [path.join(' ')]
    : command.commands.flatMap((inner) => leavesOf(inner, [...path, inner.name()]));
}

/** Splits a command at spaces outside quotes; it ends at a comment, pipe or redirection. */
function words(command: string): string[] {
  const [typed = ''] = command.split(/\s(?:#|\||>)\s?/);
  return [...typed.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}

class Parsed extends Error {}

/** @returns the parser's message, or undefined if the command would run */
async function problemOf(args: readonly string[]): Promise<string | undefined> {
  const stream = { write: () => undefined };
  const program = createProgram({ stdout: stream, stderr: stream }, async () => {});
  program.hook('preAction', () => {
    throw new Parsed();
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof Parsed) return undefined;
    return error instanceof CommanderError ? error.message : String(error);
  }
  return 'no command';
}

const pages = ['README.md', ...['docs', 'packages', 'apps', 'examples', 'benchmarks'].flatMap(markdownFiles)];
const commands = pages.flatMap(commandsOf);
/** Those of localgrad, not of Kubernetes. */
const files = pages.flatMap((page) =>
  blocksOf(page, 'yaml')
    .filter(({ block }) => !block.startsWith('apiVersion:'))
    .map(({ line, block }) => [`${page}:${line}`, block] as const),
);
/** Methods without a file or package of the reader's. */
const methods = commands.flatMap(([place, args]) => {
  const method = args[args.indexOf('--method') + 1] ?? '';
  return !args.includes('--method') || /\.m?js|acme-|localgrad-/.test(method) ? [] : [[place, method] as const];
});

describe('commands in the documentation', () => {
  it('are found', () => {
    expect(commands.length).toBeGreaterThan(50);
  });

  it.each(commands)('%s is understood: %j', async (_, args) => {
    expect(await problemOf(args)).toBeUndefined();
  });

  it.each(pages.flatMap(inlineCommandsOf))('%s names existing commands and options: %j', async (_, args) => {
    expect((await problemOf(args)) ?? '').not.toMatch(/unknown (?:command|option)/);
  });

  it.each(methods)('%s names a method: %s', (_, method) => {
    expect(standardCatalog.method(method).specVersion).toBe('v1');
  });
});

describe('files in the documentation', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThan(3);
  });

  it.each(files)('%s is an experiment, a part of one, or a run', async (place, text) => {
    if (/^method:/m.test(text)) return expect(parseRunFile(text, place)).toHaveProperty('method');
    const whole = /^name:/m.test(text) ? text : `name: whole\nbase: { method: dgl }\n${text}`;
    const { conditions } = await parseExperiment(whole, place, { schema: runConfigSchema });
    return expect(conditions.length).toBeGreaterThan(1);
  });
});

describe('the README of the command line', () => {
  const stream = { write: () => undefined };
  const names = leavesOf(createProgram({ stdout: stream, stderr: stream }, async () => {}));
  const text = readFileSync(join(root, 'apps/benchmark/README.md'), 'utf8');
  const [listed = '', output = ''] = [text.split('\n## ')[0], text.split('\n## Output for programs')[1]];
  const firstCells = [...output.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell).join(' ');

  it('lists every command', () => {
    const isListed = (name: string) =>
      listed.includes(`localgrad ${name}`) || (name.startsWith('data ') && listed.includes(`\`${name.slice(5)}\``));
    expect(names.filter((name) => !isListed(name))).toEqual([]);
  });

  it('documents the JSON of every command', () => {
    expect(names.filter((name) => !firstCells.includes(`\`${name}\``))).toEqual([]);
  });
});
