import { type ChartSpec, renderSvg } from '../charts/chart.js';
import { chartFrame } from '../charts/frame.js';
import { pngOf } from '../charts/png.js';
import type { StudyView } from '../condition-rows.js';
import { panelsOf } from '../panels.js';
import { withDescription } from '../theme/markup.js';
import { costFigure } from './costs.js';
import type { Figure } from './figure.js';
import { equalComputeCurves, learningCurves, separabilityCurves } from './learning-curves.js';
import { moduleLosses } from './module-losses.js';
import { overview } from './overview.js';

/** A figure with its drawings: one SVG per panel for the page, and all panels in one file for a paper. */
export interface DrawnFigure extends Figure {
  readonly panelSvgs: readonly string[];
  readonly svg: string;
  readonly png: Uint8Array;
}

/** All figures for which the study has data. */
export function figuresOf(view: StudyView): Figure[] {
  const panels = panelsOf(view);
  return [
    overview(view, panels) ?? learningCurves(panels, view.metric),
    costFigure(view, panels),
    equalComputeCurves(panels, view.metric),
    moduleLosses(view),
    separabilityCurves(view, panels),
  ].filter((figure) => figure !== null);
}

/** Draws a figure. Equal figures yield equal bytes. */
export async function draw(figure: Figure): Promise<DrawnFigure> {
  const panelSvgs: string[] = [];
  for (const { spec, title, description } of figure.panels) {
    panelSvgs.push(withDescription(await renderSvg(spec), title, description));
  }
  const description = figure.panels.map((panel) => `${panel.title}. ${panel.description}`).join(' ');
  const svg = withDescription(await renderSvg(together(figure)), figure.title, description);
  return { ...figure, panelSvgs, svg, png: await pngOf(svg) };
}

/** All panels in one specification. */
export function together({ title, panels, columns, hasLead = false }: Figure): ChartSpec {
  const specs = panels.map(({ spec }) => spec);
  const [lead, ...others] = specs;
  const parts = hasLead && lead !== undefined && others.length > 0 ? [lead, { vconcat: others, spacing: 26 }] : specs;
  return chartFrame({ title, parts, columns: Math.min(columns ?? 2, parts.length) });
}
