import { type CurvePoint, learningCurve, separability } from '../curves.js';
import type { Line, Panel } from '../panels.js';
import { percent, powerOfThousand } from '../text/wording.js';
import type { Figure } from './figure.js';
import { type ChartLine, lineChart } from './line-chart.js';
import { domainOf, shareDomainOf } from './scales.js';

interface CurveFigure extends Pick<Figure, 'id' | 'title' | 'caption'> {
  readonly x: string;
  readonly isDiscrete: boolean;
  readonly pointsOf: (line: Line) => ChartLine['points'];
  readonly formatX: (x: number) => string;
  /** Describes a line, after its label. */
  readonly describe: (points: ChartLine['points']) => string;
}

/** Test accuracy after each epoch; null where no run was tested. */
export function learningCurves(panels: readonly Panel[]): Figure | null {
  return curveFigure(panels, {
    id: 'learning-curves',
    title: 'Learning curves',
    caption: 'Mean test accuracy after each epoch; bands are 95 % confidence intervals of the mean (Student’s t).',
    x: 'epoch',
    isDiscrete: true,
    pointsOf: ({ row }) => learningCurve(row).map((point) => ({ ...point, x: point.epoch, y: point.mean })),
    formatX: String,
    describe: (points) => `from ${percent(points[0]?.y ?? null)} to ${percent(points.at(-1)?.y ?? null)}`,
  });
}

/** Test accuracy by what was computed until then; null where that is not known. */
export function equalComputeCurves(panels: readonly Panel[]): Figure | null {
  const curves = new Map(panels.flatMap(({ lines }) => lines.map(({ row }) => [row, learningCurve(row)] as const)));
  const most = Math.max(0, ...[...curves.values()].flatMap((curve) => curve.map(({ work }) => work ?? 0)));
  const { factor, name } = powerOfThousand(most);
  const place = (point: CurvePoint) =>
    point.work === null ? [] : [{ ...point, x: point.work / factor, y: point.mean }];
  return curveFigure(panels, {
    id: 'equal-compute',
    title: 'Accuracy at equal compute',
    caption:
      'The same curves by the multiply-accumulates done until then, auxiliary networks and backward passes included: what lies above each other has cost the same. A learning rate that falls until the end of a run favours the end of each curve.',
    x: `multiply-accumulates (× ${name})`,
    isDiscrete: false,
    pointsOf: ({ row }) => curves.get(row)?.flatMap(place) ?? [],
    formatX: (x) => x.toFixed(2),
    describe: (points) => `${percent(points.at(-1)?.y ?? null)} at ${points.at(-1)?.x.toFixed(2)} × ${name}`,
  });
}

/** Accuracy of linear probes by module; null without probes. */
export function separabilityCurves(panels: readonly Panel[]): Figure | null {
  return curveFigure(panels, {
    id: 'linear-separability',
    title: 'Linear separability by module',
    caption:
      'Test accuracy of a linear classifier trained on what each module puts out, from the first module to the last. Local losses make early modules separate classes early; what counts for the whole network is the last module.',
    x: 'module',
    isDiscrete: true,
    pointsOf: ({ row }) => separability(row).map((point) => ({ ...point, x: point.module, y: point.mean })),
    formatX: String,
    describe: (points) =>
      `${percent(points[0]?.y ?? null)} at the first module, ${percent(points.at(-1)?.y ?? null)} at the last`,
  });
}

function curveFigure(panels: readonly Panel[], options: CurveFigure): Figure | null {
  const drawn = panels.flatMap(({ title, lines }) => {
    const own = lines.flatMap((line) => {
      const points = options.pointsOf(line);
      return points.length === 0 ? [] : [{ ...line, isDashed: line.row.isReference, points }];
    });
    return own.length === 0 ? [] : [{ title, lines: own }];
  });
  const points = drawn.flatMap(({ lines }) => lines.flatMap((line) => line.points));
  if (points.length === 0) return null;
  const xs = points.map(({ x }) => x);
  const xDomain = options.isDiscrete ? domainOf(xs, 0) : ([0, Math.max(...xs)] as const);
  const yDomain = shareDomainOf(points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]));
  const { id, title, caption, x, isDiscrete } = options;
  const seen = new Set<Line['row']>();
  return {
    id,
    title,
    caption,
    panels: drawn.map((panel) => ({
      title: panel.title === '' ? title : `${title}: ${panel.title}`,
      description: `Line chart. ${panel.lines.map((line) => `${line.label}: ${options.describe(line.points)}`).join('; ')}.`,
      spec: lineChart(panel.lines, { title: panel.title, x, xDomain, yDomain, isDiscrete }),
    })),
    table: {
      columns: ['Condition', x, 'Mean', '95 % CI', 'Runs'],
      rows: drawn.flatMap(({ lines }) =>
        lines.flatMap(({ row, points }) => {
          // The reference is drawn in every panel.
          if (seen.has(row)) return [];
          seen.add(row);
          return points.map((point) => [
            row.condition.name,
            options.formatX(point.x),
            percent(point.y),
            point.low === null ? '–' : `${percent(point.low)} to ${percent(point.high)}`,
            String('n' in point ? point.n : ''),
          ]);
        }),
      ),
    },
  };
}
