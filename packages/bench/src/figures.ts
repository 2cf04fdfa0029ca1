import { barChart, type ChartSpec, chartFrame, seriesChart } from '@localgrad/report';
import type { BenchMemoryReport } from './bench-memory.js';
import type { BenchScalingReport } from './bench-scaling.js';
import type { BenchReport } from './bench-step.js';

const mebibytes = (bytes: number) => bytes / 2 ** 20;

/** Omits the number of modules for end-to-end training, which does not depend on it. */
function rowName(method: string, modules: number): string {
  return modules === 1 || /^(pytorch )?backprop/.test(method) ? method : `${method}, K = ${modules}`;
}

function placeOf({ environment, device }: Pick<BenchReport, 'environment' | 'device'>): string {
  return `${device}, ${environment.cores} cores, ${environment.runtime}, TensorFlow.js ${environment.tfjs}`;
}

/** Time and peak memory of a step, by method. */
export function stepFigure(report: BenchReport): ChartSpec {
  const { options, rows } = report;
  const named = rows.map((row) => ({
    ...row,
    name: rowName(row.method, row.modules),
  }));
  const times = named.map(({ name, stepMs, relativeToBackprop }) => ({
    name,
    value: stepMs.median,
    text: `${stepMs.median.toFixed(0)} ms · ${relativeToBackprop.time.toFixed(2)} ×`,
  }));
  const peaks = named.map(({ name, peakBytes, relativeToBackprop }) => ({
    name,
    value: mebibytes(peakBytes ?? 0),
    text:
      peakBytes === null
        ? 'not counted'
        : `${mebibytes(peakBytes).toFixed(0)} MiB · ${relativeToBackprop.memory?.toFixed(2)} ×`,
  }));
  return chartFrame({
    title: `A training step of ${options.backbone}`,
    subtitle: `batch ${options.batch}, images ${options.image.join('×')}; ${placeOf(report)}`,
    parts: [
      barChart({ title: 'Time', subtitle: `median of ${options.repeats}; less is better`, bars: times }),
      barChart({
        title: 'Peak memory',
        subtitle: 'live tensors, weights included; less is better',
        bars: peaks,
        hasNames: false,
      }),
    ],
  });
}

/** Peak memory by batch size, and the largest batch within the budget. */
export function memoryFigure(report: BenchMemoryReport): ChartSpec {
  const { options, rows } = report;
  const budget = mebibytes(options.budgetBytes);
  const highest = budget * 1.6;
  const nameOf = ({ method, modules }: (typeof rows)[number]) => rowName(method, modules);
  const pointOf = (name: string, batch: number, peakBytes: number) => ({ name, x: batch, y: mebibytes(peakBytes) });
  const largest = rows.map((row) => ({
    name: nameOf(row),
    value: row.largestBatch,
    text: `${row.largestBatch} · ${row.relativeToBackprop === null ? '–' : `${row.relativeToBackprop.toFixed(2)} ×`}`,
  }));
  return chartFrame({
    title: `What fits into ${budget.toFixed(0)} MiB`,
    subtitle: `${options.backbone}, images ${options.image.join('×')}; ${placeOf(report)}`,
    parts: [
      barChart({ title: 'Largest batch', subtitle: 'more is better', bars: largest }),
      seriesChart({
        title: 'Peak memory',
        subtitle: 'MiB by batch size; lines predicted, dots measured',
        x: 'batch size',
        yDomain: [0, highest],
        height: Math.max(200, 26 * rows.length),
        names: rows.map(nameOf),
        lines: rows.flatMap((row) =>
          row.curve
            .map(({ batch, peakBytes }) => pointOf(nameOf(row), batch, peakBytes))
            .filter(({ y }) => y <= highest),
        ),
        marks: rows.flatMap((row) =>
          row.measured === null ? [] : [pointOf(nameOf(row), row.measured.batch, row.measured.peakBytes)],
        ),
        limit: budget,
      }),
    ],
  });
}

/** Time and memory by depth. */
export function scalingFigure(report: BenchScalingReport): ChartSpec {
  const { options, rows } = report;
  const names = [...new Set(rows.map(({ method, modules }) => rowName(method, modules)))];
  const chart = (
    title: string,
    subtitle: string,
    amountOf: (row: (typeof rows)[number]) => number,
    hasLegend: boolean,
  ) =>
    seriesChart({
      title,
      subtitle,
      names,
      hasLegend,
      x: 'depth',
      xValues: options.depths,
      height: 230,
      lines: rows.map((row) => ({ name: rowName(row.method, row.modules), x: row.depth, y: amountOf(row) })),
    });
  return chartFrame({
    title: 'Time and memory by depth',
    subtitle: `batch ${options.batch}; ${placeOf(report)}`,
    parts: [
      chart('Step', 'milliseconds; less is better', ({ stepMs }) => stepMs.median, false),
      chart('Peak memory', 'MiB of live tensors; less is better', ({ peakBytes }) => mebibytes(peakBytes ?? 0), true),
    ],
  });
}
