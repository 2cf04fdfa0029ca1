import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { viewOf } from '../condition-rows.js';
import { syntheticStudy } from '../study.fixture.js';
import { latexText, untypesettable } from './escape.js';
import { latexOf } from './latex.js';

const engine = ['booktabs.sty', 'graphicx.sty', 't1cmr.fd'].every(
  (file) => spawnSync('kpsewhich', [file]).status === 0,
);
if (!engine) {
  console.warn(
    'SKIPPED: report.tex is not compiled, as pdfLaTeX with booktabs is not installed. On Debian: apt-get install texlive-latex-recommended.',
  );
}

const greek = 'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ αβγδεζηθικλμνξοπρςστυφχψω';
const symbols =
  '≥≤≠≈≡∼≪≫∝∞∈∉∅⊂⊆∪∩⊕⊗⊙→←↔↑↓⇒⇐⇔↦∑∏∫√∂∇∀∃¬∧∨⊥∥★◆✓✗′″ℓℝℕµ°½¼¾ −±∓×÷·∘⋅ ₀₁₂₃₄₅₆₇₈₉ₙ₊₋ ⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ⁺⁻ –—‘’“”…†‡•';
const ascii = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index));
const latin = String.fromCharCode(...Array.from({ length: 0x17f - 0xa1 }, (_, index) => 0xa1 + index));

/** Every character of a text that has a command or a font. */
const typesettable = (text: string) => [...text].filter((character) => untypesettable(character).length === 0).join('');

/** The log of pdfLaTeX, which must succeed. */
async function compiled(table: string, graphicx = '\\usepackage{graphicx}'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-latex-'));
  try {
    await writeFile(join(folder, 'report.tex'), table);
    const packages = '\\usepackage[T1]{fontenc}\\usepackage{booktabs}';
    await writeFile(
      join(folder, 'main.tex'),
      `\\documentclass{article}${packages}${graphicx}\\begin{document}\\input{report.tex}\\end{document}\n`,
    );
    const { status, stdout } = spawnSync('pdflatex', ['-interaction=nonstopmode', '-halt-on-error', 'main.tex'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(status, stdout.slice(-3000)).toBe(0);
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function studyWithNames(names: readonly string[]) {
  const study = syntheticStudy({ hosts: ['DGL', 'InfoPro'], modules: [4], epochs: 1, seeds: 2 });
  const conditions = study.conditions.map((condition, index) => ({
    ...condition,
    name: names[index] ?? condition.name,
  }));
  return { ...study, conditions };
}

describe('latexText', () => {
  it('turns Greek letters, relations and indices into commands', () => {
    expect(latexText('β₁ = 0.9, window ≥ 2')).toBe('$\\beta$$_{1}$ = 0.9, window $\\geq$ 2');
    expect(latexText('λ → ∞')).toBe('$\\lambda$ $\\rightarrow$ $\\infty$');
    expect(latexText('10⁻³ % of Ω')).toBe('10$^{-}$$^{3}$ \\% of $\\Omega$');
    expect(untypesettable(greek + symbols + ascii)).toEqual([]);
  });

  it('names characters that pdfLaTeX has no font for', () => {
    expect(untypesettable('Größe 大 🙂 大')).toEqual(['大', '🙂']);
    const view = viewOf(studyWithNames(['大']));
    expect(latexOf(view)).toMatch(/^% pdfLaTeX cannot typeset 大; use LuaLaTeX or XeLaTeX/);
    expect(latexOf(viewOf(studyWithNames([])))).not.toContain('LuaLaTeX');
  });
});

describe.skipIf(!engine)('report.tex', { timeout: 120_000 }, () => {
  it('compiles with every typesettable character, and fits the page', async () => {
    const log = await compiled(latexOf(viewOf(studyWithNames([greek, symbols, ascii, typesettable(latin)]))));
    expect(log).not.toMatch(/Overfull|Missing character|undefined/);
  });

  it('compiles without graphicx, at its own width', async () => {
    const log = await compiled(latexOf(viewOf(studyWithNames(['β₁ = 0.9, window ≥ 2']))), '');
    expect(log).not.toMatch(/Missing character|undefined/);
  });

  it('continues long tables in further ones', async () => {
    const hosts = Array.from({ length: 15 }, (_, index) => `host ${index}`);
    const text = latexOf(viewOf(syntheticStudy({ hosts, modules: [4], epochs: 1, seeds: 2 })));
    expect(text.match(/\\begin\{table\*\}/g)).toHaveLength(2);
    expect(text).toContain('(continued).');
    expect(await compiled(text)).not.toMatch(/Overfull|too large for page/);
  });
});
