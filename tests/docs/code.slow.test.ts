import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { declarationsFor, readersFiles } from './given.js';

const root = resolve(import.meta.dirname, '../..');
const skipped = ['node_modules', 'api', 'etc', 'dist', 'templates'];

/** A block of code in a page. */
interface Program {
  readonly page: string;
  readonly line: number;
  readonly code: string;
}

function markdownFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

function programsOf(page: string): Program[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].map(({ 1: code = '', index }) => ({
    page,
    line: text.slice(0, index).split('\n').length + 1,
    // An ellipsis stands for the body of a function.
    code: code.replaceAll('=> …', '=> missing();'),
  }));
}

const programs = ['README.md', ...['docs', 'packages', 'apps'].flatMap(markdownFiles)].flatMap(programsOf);

/** The compiler's settings for readers: `strict`, and no further checks. */
function settings(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: ['vitest.config.ts'] },
    ts.sys,
    root,
  );
  return {
    ...options,
    ...{ noEmit: true, noUnusedLocals: false, noUnusedParameters: false },
    ...{ exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false },
  };
}

/** Type errors of all programs, which are compiled together, as `page:line: message`. */
function typeErrors(): string[] {
  const options = settings();
  const byFile = new Map(
    programs.map((program) => [join(root, dirname(program.page), `program-${program.line}.ts`), program]),
  );
  const contents = new Map([
    ...[...byFile].map(([file, { page, code }]) => [file, `${code}\n${declarationsFor(page, code)}`] as const),
    ...Object.entries(readersFiles).map(([file, content]) => [join(root, file), content] as const),
  ]);
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile, directoryExists } = host;
  const folders = new Set([...contents.keys()].map(dirname));
  host.directoryExists = (folder) => folders.has(folder) || directoryExists?.(folder) !== false;
  host.fileExists = (file) => contents.has(file) || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    const content = contents.get(file);
    return content === undefined
      ? getSourceFile(file, ...rest)
      : ts.createSourceFile(file, content, ts.ScriptTarget.ESNext, true);
  };
  const compiled = ts.createProgram([...byFile.keys()], options, host);
  return [...byFile].flatMap(([file, { page, line }]) => {
    const source = compiled.getSourceFile(file);
    return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map((problem) => {
      const offset = source?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0;
      return `${page}:${line + offset}: ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`;
    });
  });
}

describe('code in the documentation', () => {
  it('is found', () => {
    expect(programs.length).toBeGreaterThan(40);
  });

  it('compiles', { timeout: 300_000 }, () => {
    expect(typeErrors()).toEqual([]);
  });
});
