// Checks documents: relative links in Markdown resolve, linked headings exist, and every document cited in a comment or
// a document (`docs/methods/engine.md §2`) is in the repository and has that section. node tools/documents-lint.mjs
// [folder]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
const slashComments = /\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g;
const hashComments = /"""[\s\S]*?"""|#[^\n]*/g;
/** Extracts the prose of a file, by extension. */
const comments = {
  ...Object.fromEntries(['.ts', '.tsx', '.mts', '.js', '.mjs', '.wgsl'].map((extension) => [extension, slashComments])),
  ...Object.fromEntries(['.py', '.sh', '.yaml', '.yml'].map((extension) => [extension, hashComments])),
};
const fencedCode = /^( *)(```|~~~)[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm;
const link = /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|^ *\[[^\]]+\]:\s*(\S+)|(?:src|href)="([^"]+)"/gm;
/** Line breaks within a comment, because a citation may span two lines. */
const lineStart = /\n\s*(?:\*|\/\/|#)?[ \t]*/g;
/** A document, bare or in a string (a test's title), with the sections that follow it. */
const citation = /([\w-][\w./-]*\.md)((?:\s*(?:,|–|and)?\s*§\s*\d+)+)/g;
const bareDocument = /(?<![\w./'"`<*-])\w[\w./-]*\.md\b/g;

const files = listFiles();
const headingsOf = new Map();
const problems = files.flatMap((file) => problemsOf(file));
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0 ? 'All links and citations resolve.' : `${problems.length} broken links or citations.`,
);
process.exit(problems.length === 0 ? 0 : 1);

function listFiles() {
  const options = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout, stderr } = spawnSync('git', options, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`git ls-files failed: ${stderr}`);
  // The test of this check cites documents that do not exist.
  const isChecked = (name) =>
    name !== 'tools/documents-lint.test.ts' && (name.endsWith('.md') || comments[extname(name)] !== undefined);
  return [...new Set(stdout.split('\0'))].filter(
    (name) => name !== '' && isChecked(name) && existsSync(join(root, name)),
  );
}

function problemsOf(file) {
  const text = readFileSync(join(root, file), 'utf8');
  const isMarkdown = file.endsWith('.md');
  const prose = isMarkdown
    ? withoutCode(text)
    : [...text.matchAll(comments[extname(file)])].map(([part]) => part).join('\n');
  const found = new Set(citationProblems(file, text, prose, isMarkdown));
  if (isMarkdown) for (const problem of linkProblems(file, prose)) found.add(problem);
  return [...found].map((problem) => `${file}: ${problem}`);
}

function withoutCode(markdown) {
  return markdown.replace(fencedCode, '').replace(/`[^`\n]*`/g, '``');
}

function linkProblems(file, prose) {
  return [...prose.matchAll(link)].flatMap(([, inline, definition, attribute]) => {
    const target = inline ?? definition ?? attribute;
    if (/^[a-z][a-z+.-]*:/i.test(target)) return [];
    const [path, heading] = target.split('#');
    const place = path === '' ? join(root, file) : resolve(join(root, dirname(file)), decodeURIComponent(path));
    if (!place.startsWith(root + sep) && place !== root) return [`link '${target}' leaves the repository`];
    if (!existsSync(place)) return [`link '${target}' does not resolve`];
    if (heading === undefined || heading === '') return [];
    const document = statSync(place).isDirectory() ? join(place, 'README.md') : place;
    if (!document.endsWith('.md') || heading === 'readme') return [];
    return anchorsOf(document).has(heading) ? [] : [`link '${target}' refers to a heading that does not exist`];
  });
}

function citationProblems(file, text, prose, isMarkdown) {
  // Test titles also contain citations, so sections are searched in the whole file.
  const whole = (isMarkdown ? prose : text).replace(lineStart, ' ');
  const cited = [...whole.matchAll(citation)].flatMap(([, name, sections]) => {
    const document = documentOf(file, name);
    if (document === undefined) return [`cites '${name}', which is not in the repository`];
    const known = sectionsOf(document);
    return [...sections.matchAll(/\d+/g)]
      .filter(([section]) => !known.has(section))
      .map(([section]) => `cites '${name} §${section}', but ${relative(root, document)} has no such section`);
  });
  const withoutLinks = isMarkdown ? prose.replace(link, '') : prose;
  const named = [...withoutLinks.matchAll(bareDocument)]
    .filter(([name]) => documentOf(file, name) === undefined)
    .map(([name]) => `cites '${name}', which is not in the repository`);
  return [...cited, ...named];
}

/** Resolves a document by its path relative to the root, the file's folder, or a parent folder. */
function documentOf(file, name) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const candidate = join(root, folder, name);
    if (existsSync(candidate)) return candidate;
    if (folder === '.') return undefined;
  }
}

function headings(document) {
  if (!headingsOf.has(document)) {
    const text = readFileSync(document, 'utf8').replace(fencedCode, '');
    headingsOf.set(
      document,
      [...text.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, title]) => title),
    );
  }
  return headingsOf.get(document);
}

/** Numbers of the sections, `2` for `## 2. Options`. */
function sectionsOf(document) {
  return new Set(headings(document).flatMap((title) => /^(\d+)\./.exec(title)?.[1] ?? []));
}

/** Anchors of headings, as generated by GitHub. */
function anchorsOf(document) {
  const seen = new Map();
  return new Set(
    headings(document).map((title) => {
      const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
      const slug = plain.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
}
