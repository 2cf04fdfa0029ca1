import { readdir, rm } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { Study } from '@localgrad/experiments';
import { writeWhole } from '@localgrad/runs';
import { pngOf } from './charts/png.js';
import { viewOf } from './condition-rows.js';
import { type DrawnFigure, draw, figuresOf } from './figures/drawn-figures.js';
import { figureIds } from './figures/figure.js';
import { renderPage } from './page/page.js';
import { type PlanFigure, planFileName, planFilesOf } from './plan-files.js';
import { resultsCsv, runsCsv } from './text/csv.js';
import { latexOf } from './text/latex.js';
import { markdownOf } from './text/markdown.js';

/** Paths of what a report is made of. */
export interface ReportFiles {
  /** One self-contained page. */
  readonly html: string;
  readonly markdown: string;
  /** A table for LaTeX with booktabs. */
  readonly latex: string;
  /** One line a condition. */
  readonly results: string;
  /** One line a run. */
  readonly runs: string;
  /** SVG and PNG of every figure and of every plan. */
  readonly figures: readonly string[];
}

export interface ReportOptions {
  /** Drawings of the plans of the study's methods. They are put in as they are. */
  readonly planFigures?: readonly PlanFigure[];
}

/**
 * Writes the report of a study into `folder`: a page, the same as Markdown, a table for LaTeX, numbers as CSV, figures as SVG
 * and PNG. The same study gives the same bytes; figures of an older report there are removed.
 *
 * @throws LocalgradError `invalid-option` where the folder cannot be written; `unknown-name` or `invalid-data` for a
 * study whose comparison rule or reference does not fit its conditions
 */
export async function writeReport(
  study: Study,
  folder: string,
  { planFigures = [] }: ReportOptions = {},
): Promise<ReportFiles> {
  const view = viewOf(study);
  const figures: DrawnFigure[] = [];
  for (const figure of figuresOf(view)) figures.push(await draw(figure));
  const linkTo = (run: string) => {
    const path = relative(resolve(folder), resolve(run));
    // A report that is kept elsewhere will be read where the runs are not.
    return path.split(sep).filter((part) => part === '..').length > 1 ? null : addressOf(path);
  };
  const files = {
    html: join(folder, 'report.html'),
    markdown: join(folder, 'report.md'),
    latex: join(folder, 'report.tex'),
    results: join(folder, 'results.csv'),
    runs: join(folder, 'runs.csv'),
  };
  const plans = planFilesOf(planFigures);
  const pictures: [file: string, content: string | Uint8Array][] = [];
  for (const { id, svg, png } of figures) pictures.push([`${id}.svg`, svg], [`${id}.png`, png]);
  for (const { id, svg } of plans) pictures.push([`${id}.svg`, svg], [`${id}.png`, await pngOf(svg)]);
  const figureFolder = join(folder, 'figures');
  await removeStale(
    figureFolder,
    pictures.map(([file]) => file),
  );
  for (const [file, content] of pictures) await writeWhole(join(figureFolder, file), content);
  await writeWhole(files.results, resultsCsv(view));
  await writeWhole(files.runs, runsCsv(view));
  await writeWhole(files.latex, latexOf(view));
  await writeWhole(files.markdown, markdownOf(view, figures, plans));
  await writeWhole(files.html, renderPage({ view, figures, plans, linkTo }));
  return { ...files, figures: pictures.map(([file]) => join(figureFolder, file)) };
}

/** Removes figures and plans of an older report that this one does not have, and nothing else. */
async function removeStale(folder: string, kept: readonly string[]): Promise<void> {
  const there = await readdir(folder).catch(() => []);
  const isOurs = (file: string) => {
    const [, id = ''] = /^(.*)\.(?:svg|png)$/.exec(file) ?? [];
    return figureIds.some((name) => name === id) || planFileName.test(id);
  };
  for (const file of there) if (isOurs(file) && !kept.includes(file)) await rm(join(folder, file), { force: true });
}

/** A path as a relative address. */
function addressOf(path: string): string {
  const address = path.split(sep).map(encodeURIComponent).join('/');
  return address.startsWith('.') ? address : `./${address}`;
}
