import ts from 'typescript';
import { changesOf } from './operators.mjs';

/**
 * One changed place of a source file. `before` and `after` are the whole lines, with single spaces: they identify the
 * change when line numbers move.
 *
 * @typedef {{ id: string, file: string, line: number, start: number, end: number, text: string, before: string, after: string }} Mutant
 */

/** All mutants of a TypeScript file, in the order of its text. @returns {Mutant[]} */
export function mutantsOf(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const mutants = [];
  const visit = (node) => {
    // Types, imports and declared names do not exist at run time.
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    for (const change of changesOf(node, source)) mutants.push(mutant(source, ...change));
    ts.forEachChild(node, visit);
  };
  visit(source);
  mutants.sort((a, b) => a.start - b.start);
  return withIds(mutants);
}

/** Ids by text; equal changes of equal lines are numbered. */
function withIds(mutants) {
  const counts = new Map();
  return mutants.map((one) => {
    const text = `${one.file}: ${one.before} → ${one.after}`;
    const count = (counts.get(text) ?? 0) + 1;
    counts.set(text, count);
    return { ...one, id: `${text} (${count})` };
  });
}

function mutant(source, start, end, text) {
  const { text: whole, fileName: file } = source;
  const from = whole.lastIndexOf('\n', start - 1) + 1;
  const next = whole.indexOf('\n', end);
  const to = next < 0 ? whole.length : next;
  const onOneLine = (lines) => lines.trim().replace(/\s+/g, ' ');
  return {
    file,
    line: source.getLineAndCharacterOfPosition(start).line + 1,
    start,
    end,
    text,
    before: onOneLine(whole.slice(from, to)),
    after: onOneLine(whole.slice(from, start) + text + whole.slice(end, to)),
  };
}

/** The file's text with one change, and with a call in each loop that ends it if the change made it endless. */
export function changedText(file, text, { start, end, text: replacement }) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const edits = [[start, end, replacement]];
  const visit = (node) => {
    if (ts.isIterationStatement(node, false)) {
      const body = node.statement.getStart(source);
      // A position inside of the changed text does not exist any more.
      if (!(body >= start && node.statement.end <= end && start !== end)) {
        edits.push([body, body, '{globalThis.countMutantLoop?.();'], [node.statement.end, node.statement.end, '}']);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  // From the end; an insertion goes before a replacement that starts at the same place.
  edits.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  return edits.reduce((changed, [from, to, by]) => changed.slice(0, from) + by + changed.slice(to), text);
}
