import { accuracyMetric } from '@localgrad/train';
import { type ChartLine, lineChart } from '../charts/line-chart.js';
import { axisOf, domainOf } from '../charts/scales.js';
import type { StudyView } from '../condition-rows.js';
import { type CurvePoint, learningCurve, separability } from '../curves.js';
import type { Line, Panel } from '../panels.js';
import { type MetricWords, wordsOf } from '../text/metric-words.js';
import { decimals, percent, powerOfThousand } from '../text/wording.js';
import type { Figure } from './figure.js';

interface Point extends CurveValue {
  /** Its x as shown in the table. */
  readonly name: string;
  readonly n: number;
}
type CurveValue = ChartLine['points'][number];

interface CurveFigure extends Pick<Figure, 'id' | 'title' | 'caption'> {
  readonly metric: MetricWords;
  readonly x: string;
  readonly xFormat: string | null;
  readonly xDomainOf: (xs: readonly number[]) => readonly [number, number];
  readonly pointsOf: (line: Line) => readonly Point[];
  /** Describes a line, after its label. */
  readonly describe: (points: readonly Point[]) => string;
}

/** A metric on test images after each epoch; null if no run was tested. */
export function learningCurves(panels: readonly Panel[], metric: MetricWords): Figure | null {
  return curveFigure(panels, {
    metric,
    id: 'learning-curves',
    title: 'Learning curves',
    caption: `Mean test ${metric.name} after each epoch; bands are 95 % confidence intervals of the mean (Student’s t). Panels share the ${metric.name} axis, but not the epoch axis.`,
    x: 'epoch',
    xFormat: 'd',
    xDomainOf: (xs) => domainOf(xs, 0),
    pointsOf: ({ row }) =>
      learningCurve(row, metric.metric).map((point) => ({
        ...point,
        x: point.epoch,
        y: point.mean,
        name: String(point.epoch),
      })),
    describe: (points) =>
      `from ${metric.value(points[0]?.y ?? null)} to ${metric.value(points.at(-1)?.y ?? null)} after epoch ${points.at(-1)?.name}`,
  });
}

/** A metric on test images by compute so far; null if compute is unknown. */
export function equalComputeCurves(panels: readonly Panel[], metric: MetricWords): Figure | null {
  const curves = new Map(
    panels.flatMap(({ lines }) => lines.map(({ row }) => [row, learningCurve(row, metric.metric)] as const)),
  );
  const most = Math.max(0, ...[...curves.values()].flatMap((curve) => curve.map(({ work }) => work ?? 0)));
  const { factor, name } = powerOfThousand(most);
  const place = (point: CurvePoint): Point[] => {
    if (point.work === null) return [];
    const x = point.work / factor;
    return [{ ...point, x, y: point.mean, name: decimals(x) }];
  };
  return curveFigure(panels, {
    metric,
    id: 'equal-compute',
    title: `${metric.title} at equal compute`,
    caption: `The same curves by multiply-accumulates so far, including auxiliary networks and backward passes: points above each other cost the same. Panels share the ${metric.name} axis, but not the compute axis. A learning rate that decays until the end of a run favors the end of each curve.`,
    x: `multiply-accumulates (× ${name})`,
    xFormat: null,
    xDomainOf: (xs) => [0, Math.max(...xs)],
    pointsOf: ({ row }) => curves.get(row)?.flatMap(place) ?? [],
    describe: (points) => `${metric.value(points.at(-1)?.y ?? null)} at ${points.at(-1)?.name} × ${name}`,
  });
}

/** Accuracy of linear probes by depth; null without probes. */
export function separabilityCurves(view: StudyView, panels: readonly Panel[]): Figure | null {
  const { shown, note } = withProbedReference(view, panels);
  return curveFigure(shown, {
    metric: wordsOf(accuracyMetric),
    id: 'linear-separability',
    title: 'Linear separability by depth',
    caption: `Test accuracy of a linear classifier trained on the output of each module, by depth as a fraction of the modules. Local losses make early modules separate classes early; only the last module matters for the network’s accuracy. A network that is not cut into modules has one probe, at its end.${note}`,
    x: 'fraction of the modules',
    xFormat: '.0%',
    xDomainOf: () => [0, 1],
    pointsOf: ({ row }) =>
      separability(row).map((point) => {
        const { module, modules } = point;
        return { ...point, x: (module + 1) / modules, y: point.mean, name: `${module + 1}/${modules}` };
      }),
    describe: (points) =>
      points.length === 1
        ? `${percent(points[0]?.y ?? null)} at the end, its only probe`
        : `${percent(points[0]?.y ?? null)} after the first of ${points.length} modules, ${percent(points.at(-1)?.y ?? null)} after the last`,
  });
}

/**
 * A reference with one module has only one probe. If the study also trains it cut into modules, as with activation
 * recomputation, that condition is plotted in its place.
 */
function withProbedReference({ reference, recomputed }: StudyView, panels: readonly Panel[]) {
  const none = { shown: panels, note: '' };
  if (reference === null || recomputed === null) return none;
  const line = panels.flatMap(({ lines }) => lines).find(({ row }) => row === recomputed);
  const isSameTraining = reference.condition.config.epochs === recomputed.condition.config.epochs;
  const isBetter = separability(reference).length === 1 && separability(recomputed).length > 1;
  if (line === undefined || !isSameTraining || !isBetter) return none;
  const shown = panels.map((panel) =>
    panel.lines.includes(line)
      ? panel
      : {
          ...panel,
          lines: panel.lines.map((of) => (of.row === reference ? { ...line, label: line.row.condition.name } : of)),
        },
  );
  const name = recomputed.condition.name;
  return {
    shown,
    note:
      panels.length === 1 ? '' : ` “${name}” is shown instead of “${reference.condition.name}”, as it has more probes.`,
  };
}

function curveFigure(panels: readonly Panel[], options: CurveFigure): Figure | null {
  const drawn = panels.flatMap(({ title, lines }) => {
    const own = lines.flatMap((line) => {
      const points = options.pointsOf(line);
      return points.length === 0 ? [] : [{ ...line, points }];
    });
    return own.length === 0 ? [] : [{ title, lines: own }];
  });
  const points = drawn.flatMap(({ lines }) => lines.flatMap((line) => line.points));
  if (points.length === 0) return null;
  const { id, title, caption, x, xFormat, metric } = options;
  const { domain: yDomain, format: yFormat } = axisOf(
    points.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]),
    metric.isFraction,
  );
  const seen = new Set<Line['row']>();
  return {
    id,
    title,
    caption,
    panels: drawn.map((panel) => {
      const xDomain = options.xDomainOf(panel.lines.flatMap((line) => line.points.map((point) => point.x)));
      return {
        title: panel.title === '' ? title : `${title}: ${panel.title}`,
        description: `Line chart. ${panel.lines.map((line) => `${line.label}: ${options.describe(line.points)}`).join('; ')}.`,
        spec: lineChart(panel.lines, {
          ...{ title: panel.title, x, y: `test ${metric.name}` },
          ...{ xDomain, yDomain, xFormat, yFormat },
        }),
      };
    }),
    table: {
      columns: ['Condition', x, 'Mean', '95 % CI', 'Runs'],
      rows: drawn.flatMap(({ lines }) =>
        lines.flatMap(({ row, points }) => {
          // The reference is drawn in every panel.
          if (seen.has(row)) return [];
          seen.add(row);
          return points.map(({ name, y, low, high, n }) => [
            row.condition.name,
            name,
            metric.value(y),
            low === null ? '–' : `${metric.value(low)} to ${metric.value(high)}`,
            String(n),
          ]);
        }),
      ),
    },
  };
}
