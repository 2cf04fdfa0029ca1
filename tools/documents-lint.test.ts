import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('documents-lint.mjs', import.meta.url));

describe('documents-lint', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'documents-'));
    spawnSync('git', ['init', '--quiet'], { cwd: folder });
    write('docs/engine.md', '# Engine\n\n## 1. What a plan says\n\n## 2. The schedule, in `short`\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(name: string, text: string) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }

  function lint() {
    const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
    return { status, problems: stderr.split('\n').filter((line) => line !== '') };
  }

  it('accepts links to files, folders and headings, and citations of sections that exist', () => {
    write(
      'README.md',
      [
        '[engine](docs/engine.md) [§2](docs/engine.md#2-the-schedule-in-short) [docs](docs) [top](#title) [web](https://a.org/x.md)',
        '# Title',
        'See docs/engine.md §1 and §2.',
        '```\n[example](missing.md)\n```',
        '`[code](missing.md)` and `missing.md`',
      ].join('\n\n'),
    );
    write('source/a.ts', "/** As in docs/engine.md §1. */\nwriteFile('report.md');\n");
    expect(lint()).toEqual({ status: 0, problems: [] });
  });

  it.each([
    ['a file that does not exist', '[a](docs/other.md)', "link 'docs/other.md' does not resolve"],
    [
      'a heading that does not exist',
      '[a](docs/engine.md#3-x)',
      "link 'docs/engine.md#3-x' refers to a heading that does not exist",
    ],
    ['a place outside the repository', '[a](../other.md)', "link '../other.md' leaves the repository"],
    ['an image that does not exist', '![a](a.png)', "link 'a.png' does not resolve"],
    [
      'a document that does not exist, in prose',
      'As missing.md says.',
      "cites 'missing.md', which is not in the repository",
    ],
  ])('rejects a page that refers to %s', (_, text, problem) => {
    write('README.md', text);
    expect(lint()).toEqual({ status: 1, problems: [`README.md: ${problem}`] });
  });

  it.each([
    ['a comment', 'a.ts', '// (missing.md §7.4)\n', "cites 'missing.md', which is not in the repository"],
    [
      'a comment, without a section',
      'a.ts',
      '// (missing.md: shown)\n',
      "cites 'missing.md', which is not in the repository",
    ],
    [
      'the title of a test',
      'a.ts',
      "it('follows docs/engine.md §4', run);\n",
      "cites 'docs/engine.md §4', but docs/engine.md has no such section",
    ],
    [
      'a comment of two lines',
      'a.ts',
      '/**\n * As in docs/engine.md\n * §5.\n */\n',
      "cites 'docs/engine.md §5', but docs/engine.md has no such section",
    ],
    ['a Python docstring', 'a.py', '"""Follows missing.md."""\n', "cites 'missing.md', which is not in the repository"],
  ])('rejects a citation in %s', (_, name, text, problem) => {
    write(name, text);
    expect(lint()).toEqual({ status: 1, problems: [`${name}: ${problem}`] });
  });
});
