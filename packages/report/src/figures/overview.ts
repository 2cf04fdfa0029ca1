import { barChart } from '../charts/bar-chart.js';
import type { ConditionRow, StudyView } from '../condition-rows.js';
import type { Panel } from '../panels.js';
import { bytes, duration, times } from '../text/wording.js';
import type { Figure, FigurePanel } from './figure.js';
import { learningCurves } from './learning-curves.js';

interface Cost {
  readonly title: string;
  readonly subtitle: string;
  readonly amountOf: (row: ConditionRow) => number | null;
  readonly format: (value: number) => string;
}

const costs: readonly Cost[] = [
  {
    title: 'Peak memory',
    subtitle: 'live tensors during a training step; less is better',
    amountOf: ({ peakBytes }) => peakBytes,
    format: bytes,
  },
  {
    title: 'Training time',
    subtitle: 'all steps, without evaluation; less is better',
    amountOf: ({ seconds }) => seconds?.mean ?? null,
    format: duration,
  },
];

/**
 * Learning curves beside the costs of every condition, for studies whose conditions fit one panel; null for others, and
 * if no run was tested.
 */
export function overview({ study, rows, reference, metric }: StudyView, panels: readonly Panel[]): Figure | null {
  const [panel, ...others] = panels;
  const curves = learningCurves(panels, metric);
  const [curvePanel] = curves?.panels ?? [];
  if (panel === undefined || others.length > 0 || curves === null || curvePanel === undefined) return null;
  const ordered = [...rows].sort((a, b) => Number(b.isReference) - Number(a.isReference));
  const drawn = ordered.flatMap((row) => panel.lines.filter((line) => line.row === row));
  const costPanels = costs.map(({ title, subtitle, amountOf, format }): FigurePanel => {
    const whole = reference === null ? null : amountOf(reference);
    const bars = drawn.map(({ row, label, color }) => {
      const value = amountOf(row) ?? 0;
      const ratio = whole === null || row === reference ? '' : `  (${times(value / whole)})`;
      return { name: label, value, text: `${format(value)}${ratio}`, color };
    });
    const words = bars.map(({ name, text }) => `${name}: ${text}`).join('; ');
    return { title, description: `Bar chart. ${words}.`, spec: barChart({ title, subtitle, bars }) };
  });
  const curveTitle = { text: `Test ${metric.name}`, subtitle: `after each epoch; ${metric.side} is better` };
  return {
    ...curves,
    id: 'overview',
    title: study.title,
    heading: `${metric.title} and cost`,
    caption: `${curves.caption} Bars: the highest peak memory of the runs of a condition, and the mean training time${reference === null ? '' : `; ratios are to ${reference.condition.name}`}.`,
    panels: [{ ...curvePanel, title: curveTitle.text, spec: { ...curvePanel.spec, title: curveTitle } }, ...costPanels],
    hasLead: true,
    table: {
      columns: ['Condition', metric.title, ...costs.map(({ title }) => title)],
      rows: drawn.map(({ row }) => [
        row.condition.name,
        metric.value(row.last?.mean ?? null),
        ...costs.map(({ amountOf, format }) => format(amountOf(row) ?? 0)),
      ]),
    },
  };
}
