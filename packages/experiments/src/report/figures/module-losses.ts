import type { StudyView } from '../condition-rows.js';
import { lastLosses, type ObjectiveLoss } from '../curves.js';
import { colourOf } from '../theme/palette.js';
import type { ChartSpec } from '../theme/svg.js';
import type { Figure } from './figure.js';
import { panelHeight, panelWidth } from './figure.js';
import { domainOf } from './scales.js';

/** What roles are called, with the colours that stand for them. */
const roles = [
  { role: 'independent', name: 'one module', colour: 2, shape: 'circle' },
  { role: 'cascaded', name: 'window of modules', colour: 1, shape: 'triangle-up' },
  { role: 'final', name: 'classifier', colour: 0, shape: 'square' },
] as const;

/** Losses of the last epoch by module; null where no condition has more than one objective. */
export function moduleLosses({ rows }: StudyView): Figure | null {
  const drawn = rows.flatMap((row) => {
    const losses = lastLosses(row);
    return losses.length < 2 ? [] : [{ row, losses }];
  });
  if (drawn.length === 0) return null;
  const yDomain = domainOf(
    drawn.flatMap(({ losses }) => losses.flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean])),
  );
  const lastModule = Math.max(...drawn.flatMap(({ losses }) => losses.map(({ module }) => module)));
  const nameOf = (loss: ObjectiveLoss) => roles.find(({ role }) => role === loss.role)?.name ?? loss.role;
  return {
    id: 'module-losses',
    title: 'Losses by module',
    caption:
      'Mean training loss over the last epoch of every objective, at the last module that it reads, with its 95 % confidence interval. Losses of one module each, those that reach back over a window of modules (cascaded), and that of the network’s own classifier. Losses of different kinds of heads cannot be compared with each other; those of one kind can, from module to module.',
    panels: drawn.map(({ row, losses }) => ({
      title: `Losses by module: ${row.condition.name}`,
      description: `Points by module. ${losses.map((loss) => `${nameOf(loss)} at module ${loss.module}: ${loss.mean.toFixed(3)}`).join('; ')}.`,
      spec: chart(`${row.number}. ${row.condition.name}`, losses, lastModule, yDomain),
    })),
    table: {
      columns: ['Condition', 'Objective', 'Kind', 'Module', 'Mean loss', '95 % CI'],
      rows: drawn.flatMap(({ row, losses }) =>
        losses.map((loss) => [
          row.condition.name,
          loss.id,
          nameOf(loss),
          String(loss.module),
          loss.mean.toFixed(3),
          loss.low === null || loss.high === null ? '–' : `${loss.low.toFixed(3)} to ${loss.high.toFixed(3)}`,
        ]),
      ),
    },
  };
}

function chart(
  title: string,
  losses: readonly ObjectiveLoss[],
  lastModule: number,
  yDomain: readonly [number, number],
): ChartSpec {
  const present = roles.filter(({ role }) => losses.some((loss) => loss.role === role));
  const values = losses.map((loss) => ({ ...loss, kind: roles.find(({ role }) => role === loss.role)?.name }));
  const domain = present.map(({ name }) => name);
  const legend = { orient: 'bottom', title: null, symbolOpacity: 1, labelLimit: 200 };
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { domain: yDomain, nice: false, zero: false },
    axis: { tickCount: 5, format: '.2~f' },
  });
  return {
    title: { text: title, fontSize: 12.5, offset: 10, limit: panelWidth + 40 },
    width: panelWidth,
    height: panelHeight,
    data: { values },
    encoding: {
      x: {
        field: 'module',
        type: 'quantitative',
        title: 'module',
        scale: { domain: [-0.3, lastModule + 0.3], nice: false, zero: false },
        axis: { grid: false, tickMinStep: 1, format: 'd' },
      },
      color: {
        field: 'kind',
        type: 'nominal',
        scale: { domain, range: present.map(({ colour }) => colourOf(colour)) },
        legend,
      },
    },
    layer: [
      { mark: { type: 'line', strokeWidth: 1.5, opacity: 0.5 }, encoding: { y: y('mean') } },
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 1.25 },
        encoding: { y: y('low'), y2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 55, opacity: 1 },
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
