import type { ChartSpec } from '../charts/chart.js';
import { panelHeight } from '../charts/panel.js';
import type { ObjectiveLoss } from '../curves.js';
import { colorOf } from '../theme/palette.js';

/** A loss with the name of its kind in the legend. */
export interface NamedLoss extends ObjectiveLoss {
  readonly kind: string;
}

/** Colors and shapes of roles. */
const looks = [
  { role: 'independent', color: 2, shape: 'circle' },
  { role: 'cascaded', color: 1, shape: 'triangle-up' },
  { role: 'final', color: 0, shape: 'square' },
] as const;

/** Three panels side by side fit a page. */
const width = 215;

/** Losses by module, one line per kind; clips losses beyond the axis. */
export function lossChart(
  title: string,
  losses: readonly NamedLoss[],
  lastModule: number,
  yDomain: readonly [number, number],
): ChartSpec {
  const present = looks.flatMap((look) => {
    const kind = losses.find(({ role }) => role === look.role)?.kind;
    return kind === undefined ? [] : [{ ...look, kind }];
  });
  const domain = present.map(({ kind }) => kind);
  const legend = { orient: 'bottom', direction: 'vertical', title: null, symbolOpacity: 1, labelLimit: 240 };
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    title: 'loss',
    scale: { domain: yDomain, nice: false, zero: false },
    axis: { tickCount: 5, format: '.2~f' },
  });
  return {
    title: { text: title, fontSize: 13, offset: 12, limit: width + 40 },
    width,
    height: panelHeight,
    data: { values: losses },
    encoding: {
      x: {
        field: 'module',
        type: 'quantitative',
        title: 'module',
        scale: { domain: [-0.3, lastModule + 0.3], nice: false, zero: false },
        axis: { grid: false, tickMinStep: 1, format: 'd', labelFlush: false },
      },
      color: {
        field: 'kind',
        type: 'nominal',
        scale: { domain, range: present.map(({ color }) => colorOf(color)) },
        legend,
      },
    },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.5, opacity: 0.5, clip: true }, encoding: { y: y('mean') } },
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 1.25, clip: true },
        encoding: { y: y('low'), y2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 55, opacity: 1, clip: true },
        encoding: {
          y: y('mean'),
          shape: {
            field: 'kind',
            type: 'nominal',
            scale: { domain, range: present.map(({ shape }) => shape) },
            legend,
          },
        },
      },
    ],
  };
}
