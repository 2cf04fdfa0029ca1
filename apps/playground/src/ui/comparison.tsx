import type { RunView } from '../run/view.js';
import type { Settings } from '../settings/settings.js';
import { Chart } from './chart.js';
import { runColors, runNames } from './colors.js';
import { bytes, percent, times } from './format.js';

export interface ComparisonProps {
  readonly settings: Settings;
  readonly views: readonly RunView[];
}

/** Accuracy and memory of the runs beside each other and beside end-to-end training. */
export function Comparison({ settings: { shared, runs }, views }: ComparisonProps) {
  const series = runs.map(({ method, modules }, index) => ({
    name: `${runNames[index]}: ${method}, K = ${modules}`,
    color: runColors[index] ?? '',
    points: (views[index]?.history.epochs ?? []).map(({ epoch, testAccuracy }) => [epoch, testAccuracy] as const),
  }));
  return (
    <section class="panel comparison" aria-labelledby="comparison-title">
      <h2 id="comparison-title">Side by side</h2>
      <div class="columns">
        <div>
          <h3>Test accuracy</h3>
          <ul class="legend">
            {series.map(({ name, color }) => (
              <li key={name}>
                <span class="swatch" style={{ background: color }} />
                {name}
              </li>
            ))}
          </ul>
          <Chart
            title="Test accuracy by epoch"
            series={series}
            height={220}
            width={shared.epochs}
            bounds={[0, 1]}
            xLabel="epoch"
            format={(value) => percent(value, 0)}
            hasDots
          />
        </div>
        <div>
          <h3>Peak memory of a step</h3>
          <MemoryBars runs={runs} views={views} />
        </div>
      </div>
    </section>
  );
}

function MemoryBars({ runs, views }: { readonly runs: Settings['runs']; readonly views: readonly RunView[] }) {
  // Predicted for each run: its modules may differ.
  const endToEnd = views.find(({ plan }) => plan !== undefined)?.plan?.endToEnd.peakBytes;
  const rows = [
    ...(endToEnd === undefined
      ? []
      : [{ name: 'End to end', color: 'var(--muted)', bytes: endToEnd, isMeasured: false, endToEnd }]),
    ...runs.flatMap(({ method, modules }, index) => {
      const { plan, history } = views[index] ?? {};
      const measured = history?.epochs.at(-1)?.peakBytes;
      const peak = measured ?? plan?.description.totals.predictedPeakBytes;
      if (peak === undefined) return [];
      const name = `${runNames[index]}: ${method}, K = ${modules}`;
      return [
        {
          name,
          color: runColors[index] ?? '',
          bytes: peak,
          isMeasured: measured !== undefined,
          endToEnd: plan?.endToEnd.peakBytes,
        },
      ];
    }),
  ];
  const most = Math.max(...rows.map((row) => row.bytes), 1);
  return (
    <ul class="bars">
      {rows.map(({ name, color, bytes: peak, isMeasured, endToEnd: reference }) => (
        <li key={name}>
          <span class="name">{name}</span>
          <span class="track">
            <span style={{ width: `${(100 * peak) / most}%`, background: color }} />
          </span>
          <span class="amount">
            {bytes(peak)} <small>{isMeasured ? 'measured' : 'predicted'}</small>
            {reference !== undefined && peak !== reference && <small>, {times(peak / reference)}</small>}
          </span>
        </li>
      ))}
    </ul>
  );
}
