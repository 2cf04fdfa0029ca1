import type { RunView } from '../run/view.js';
import { Chart } from './chart.js';
import { moduleColor } from './colors.js';
import { loss } from './format.js';

/** Live losses of a run's objectives; those of windows of modules are dashed. */
export function LossChart({ view: { plan, history } }: { readonly view: RunView }) {
  const objectives = plan?.description.objectives ?? [];
  const modules = plan?.description.modules.length ?? 1;
  const series = objectives.map(({ id, span: [from, to] }) => ({
    name: id,
    color: moduleColor(to, modules),
    isDashed: from < to && modules > 1 && objectives.length > 1,
    points: history.losses.flatMap(({ step, losses }): [number, number][] => {
      const value = losses[id];
      return value === undefined ? [] : [[step, value]];
    }),
  }));
  return (
    <Chart
      title="Losses by step"
      series={series}
      height={190}
      width={Math.max(history.steps, 1)}
      xLabel="step"
      format={loss}
    />
  );
}
