import { paretoFront } from '../charts/pareto.js';
import { axisOf } from '../charts/scales.js';
import type { ConditionRow, StudyView } from '../condition-rows.js';
import { looksByKey, type Panel } from '../panels.js';
import { bytes, duration, listed, operations, powerOfThousand } from '../text/wording.js';
import { type CostPoint, costChart } from './cost-chart.js';
import { costKey } from './cost-key.js';
import type { Figure, FigurePanel } from './figure.js';

interface Cost {
  readonly title: string;
  /** Title of the axis. */
  readonly x: string;
  readonly valueOf: (row: ConditionRow) => number | null;
  readonly factor: number;
}

const mebibyte = 2 ** 20;
/** More points than this are labeled by numbers. */
const mostNames = 4;

/** The final value of the compared metric against costs; null if no run was tested. */
export function costFigure({ rows, metric }: StudyView, panels: readonly Panel[]): Figure | null {
  const tested = rows.filter(({ last }) => last !== null);
  if (tested.length === 0) return null;
  const lines = looksByKey(panels);
  const hasKey = tested.length > mostNames;
  const y = {
    title: `test ${metric.name}`,
    ...axisOf(
      tested.flatMap(({ last }) => [last?.mean ?? 0, last?.low ?? last?.mean ?? 0, last?.high ?? last?.mean ?? 0]),
      metric.isFraction,
    ),
  };
  const drawn = costsOf(tested).flatMap((cost): { panel: FigurePanel; front: readonly ConditionRow[] }[] => {
    const points = tested.flatMap((row): (CostPoint & { readonly row: ConditionRow })[] => {
      const value = cost.valueOf(row);
      if (value === null || row.last === null) return [];
      const { mean, low, high } = row.last;
      const text = hasKey ? String(row.number) : row.condition.name;
      const { color = 0, shape = 'circle' } = lines.get(row.condition.key) ?? {};
      return [{ row, text, color, shape, x: value / cost.factor, y: mean, low, high }];
    });
    if (points.length === 0) return [];
    const best = paretoFront(points, metric.metric.lowerIsBetter);
    const front = best.map(({ row }) => row);
    return [
      {
        front,
        panel: {
          title: `${metric.title} against ${cost.title.toLowerCase()}`,
          description: `Scatter plot. On the Pareto front, from the lowest cost to the highest: ${listed(front.map((row) => row.condition.name))}.`,
          spec: costChart(points, { title: cost.title, x: cost.x, y, front: best }),
        },
      },
    ];
  });
  const onFront = (row: ConditionRow, index: number) => (drawn[index]?.front.includes(row) ? ' ◆' : '');
  return {
    id: 'accuracy-against-cost',
    title: `${metric.title} against cost`,
    caption: `Mean test ${metric.name} after the last epoch with its 95 % confidence interval. Filled points, joined by the dashed line, are on the Pareto front: no other condition is as ${metric.name === 'accuracy' ? 'accurate' : 'good'} at a lower cost.${hasKey ? ' Numbers refer to the first column of the results.' : ''}`,
    panels: [...drawn.map(({ panel }) => panel), ...(hasKey ? [costKey(tested, lines)] : [])],
    table: {
      columns: ['Condition', metric.title, 'Peak memory', 'Training time', 'Multiply-accumulates'],
      rows: [
        ...tested.map((row) => [
          `${row.number}. ${row.condition.name}`,
          metric.value(row.last?.mean ?? null),
          bytes(row.peakBytes) + onFront(row, 0),
          duration(row.seconds?.mean ?? null) + onFront(row, 1),
          operations(row.work) + onFront(row, 2),
        ]),
        ['◆: on the Pareto front', '', '', '', ''],
      ],
    },
  };
}

function costsOf(rows: readonly ConditionRow[]): Cost[] {
  const { factor, name } = powerOfThousand(Math.max(...rows.map(({ work }) => work ?? 0)));
  return [
    { title: 'Peak memory', x: 'peak memory (MiB)', factor: mebibyte, valueOf: ({ peakBytes }) => peakBytes },
    {
      title: 'Training time',
      x: 'training time (seconds)',
      factor: 1,
      valueOf: ({ seconds }) => seconds?.mean ?? null,
    },
    { title: 'Compute', x: `multiply-accumulates (× ${name})`, factor, valueOf: ({ work }) => work },
  ];
}
