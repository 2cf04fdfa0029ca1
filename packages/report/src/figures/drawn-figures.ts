import type { StudyView } from '../condition-rows.js';
import { panelsOf } from '../panels.js';
import { mutedInk, paper } from '../theme/palette.js';
import { pngOf } from '../theme/png.js';
import { type ChartSpec, renderSvg, withDescription } from '../theme/svg.js';
import { costFigure } from './costs.js';
import type { Figure } from './figure.js';
import { equalComputeCurves, learningCurves, separabilityCurves } from './learning-curves.js';
import { moduleLosses } from './module-losses.js';

/** A figure with its drawings: one SVG a panel for the page, and all panels in one for a paper. */
export interface DrawnFigure extends Figure {
  readonly panelSvgs: readonly string[];
  readonly svg: string;
  readonly png: Uint8Array;
}

/** All figures for which the study has numbers. */
export function figuresOf(view: StudyView): Figure[] {
  const panels = panelsOf(view);
  return [
    learningCurves(panels),
    costFigure(view, panels),
    equalComputeCurves(panels),
    moduleLosses(view),
    separabilityCurves(view, panels),
  ].filter((figure) => figure !== null);
}

/** Draws a figure. The same figure gives the same bytes. */
export async function draw(figure: Figure): Promise<DrawnFigure> {
  const panelSvgs: string[] = [];
  for (const { spec, title, description } of figure.panels) {
    panelSvgs.push(withDescription(await renderSvg(spec), title, description));
  }
  const description = figure.panels.map((panel) => `${panel.title}. ${panel.description}`).join(' ');
  const svg = withDescription(await renderSvg(together(figure)), figure.title, description);
  return { ...figure, panelSvgs, svg, png: await pngOf(svg) };
}

export function together({ title, panels, columns }: Figure): ChartSpec {
  return {
    background: paper,
    padding: 24,
    title: { text: title, fontSize: 17, offset: 22, color: mutedInk },
    columns: Math.min(columns ?? 2, panels.length),
    spacing: 36,
    concat: panels.map(({ spec }) => spec),
    resolve: { scale: { color: 'independent', shape: 'independent', strokeDash: 'independent' } },
  };
}
