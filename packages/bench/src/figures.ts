import { colourOf, ink, mutedInk, paper } from '@localgrad/report';
import type { BenchMemoryReport } from './bench-memory.js';
import type { BenchScalingReport } from './bench-scaling.js';
import type { BenchReport } from './bench-step.js';

type Spec = Record<string, unknown>;
const mebibytes = (bytes: number) => bytes / 2 ** 20;

/** End-to-end training is the same in any cut. */
function rowName(method: string, modules: number): string {
  return modules === 1 || /^(pytorch )?backprop/.test(method) ? method : `${method}, K = ${modules}`;
}

function frame(title: string, subtitle: string, parts: readonly Spec[]): Spec {
  return {
    background: paper,
    padding: 28,
    title: { text: title, subtitle, fontSize: 19, subtitleFontSize: 12.5, offset: 26, subtitlePadding: 8 },
    spacing: 60,
    hconcat: parts,
    resolve: { scale: { color: 'independent' }, legend: { color: 'independent' } },
  };
}

function placeOf({ environment, device }: Pick<BenchReport, 'environment' | 'device'>): string {
  return `${device}, ${environment.cores} cores, ${environment.runtime}, TensorFlow.js ${environment.tfjs}`;
}

interface Bar {
  readonly name: string;
  readonly value: number;
  readonly text: string;
}

/** Horizontal bars from zero, names on the left, the value at the end. */
function bars(title: string, subtitle: string, values: readonly Bar[], withNames: boolean): Spec {
  const most = Math.max(...values.map(({ value }) => value));
  const names = values.map(({ name }) => name);
  return {
    title: { text: title, subtitle },
    width: 260,
    height: 26 * values.length,
    data: { values },
    encoding: {
      y: {
        ...{ field: 'name', type: 'nominal', sort: names, title: null },
        axis: withNames ? { labelColor: ink, labelFontSize: 12, labelLimit: 360 } : null,
        scale: { paddingInner: 0.35, paddingOuter: 0.1 },
      },
      x: { field: 'value', type: 'quantitative', axis: null, scale: { domain: [0, most * 1.45], nice: false } },
    },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 3 },
        encoding: {
          color: {
            field: 'name',
            type: 'nominal',
            scale: { domain: names, range: names.map((_, index) => colourOf(index)) },
            legend: null,
          },
        },
      },
      { mark: { type: 'text', align: 'left', dx: 8, fontSize: 12, fill: ink }, encoding: { text: { field: 'text' } } },
    ],
  };
}

/** Time and peak memory of a step, by method. */
export function stepFigure(report: BenchReport): Spec {
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
  return frame(
    `A training step of ${options.backbone}`,
    `batch ${options.batch}, images ${options.image.join('×')}; ${placeOf(report)}`,
    [
      bars('Time', `median of ${options.repeats}; less is better`, times, true),
      bars('Peak memory', 'live tensors, weights included; less is better', peaks, false),
    ],
  );
}

/** Peak against batch, and the largest batch in the budget. */
export function memoryFigure(report: BenchMemoryReport): Spec {
  const { options, rows } = report;
  const budget = mebibytes(options.budgetBytes);
  const nameOf = ({ method, modules }: (typeof rows)[number]) => rowName(method, modules);
  const names = rows.map(nameOf);
  const points = rows.flatMap((row) =>
    row.curve
      .map(({ batch, peakBytes }) => ({ name: nameOf(row), batch, peak: mebibytes(peakBytes) }))
      .filter(({ peak }) => peak <= budget * 1.6),
  );
  const color = {
    field: 'name',
    type: 'nominal',
    scale: { domain: names, range: names.map((_, index) => colourOf(index)) },
    legend: null,
  };
  const measured = rows.flatMap((row) =>
    row.measured === null
      ? []
      : [{ name: nameOf(row), batch: row.measured.batch, peak: mebibytes(row.measured.peakBytes) }],
  );
  const lines: Spec = {
    title: { text: 'Peak memory', subtitle: 'MiB against batch; lines predicted, dots measured' },
    width: 340,
    height: Math.max(200, 26 * rows.length),
    encoding: {
      x: { field: 'batch', type: 'quantitative', title: 'batch', axis: { grid: false } },
      y: { field: 'peak', type: 'quantitative', title: null, scale: { domain: [0, budget * 1.6], nice: false } },
      color,
    },
    layer: [
      { data: { values: points }, mark: { type: 'line', strokeWidth: 2.5 } },
      { data: { values: measured }, mark: { type: 'point', size: 60, filled: true } },
      {
        data: { values: [{ peak: budget }] },
        mark: { type: 'rule', stroke: mutedInk, strokeDash: [5, 4] },
        encoding: { x: null, color: null },
      },
    ],
  };
  const largest = rows.map((row) => ({
    name: nameOf(row),
    value: row.largestBatch,
    text: `${row.largestBatch} · ${row.relativeToBackprop.toFixed(2)} ×`,
  }));
  return frame(
    `What fits into ${budget.toFixed(0)} MiB`,
    `${options.backbone}, images ${options.image.join('×')}; ${placeOf(report)}`,
    [bars('Largest batch', 'more is better', largest, true), lines],
  );
}

/** Time and memory against depth. */
export function scalingFigure(report: BenchScalingReport): Spec {
  const { options, rows } = report;
  const values = rows.map(({ method, modules, depth, stepMs, peakBytes }) => ({
    ...{ name: rowName(method, modules), depth },
    ...{ time: stepMs.median, memory: mebibytes(peakBytes ?? 0) },
  }));
  const names = [...new Set(values.map(({ name }) => name))];
  const chart = (field: 'time' | 'memory', title: string, subtitle: string, legend: object | null): Spec => ({
    title: { text: title, subtitle },
    width: 300,
    height: 230,
    data: { values },
    mark: { type: 'line', strokeWidth: 2.5, point: { size: 45, filled: true } },
    encoding: {
      x: { field: 'depth', type: 'quantitative', title: 'depth', axis: { grid: false, values: [...options.depths] } },
      y: { field, type: 'quantitative', title: null },
      color: {
        ...{ field: 'name', type: 'nominal', legend },
        scale: { domain: names, range: names.map((_, index) => colourOf(index)) },
      },
    },
  });
  const legend = { title: null, labelFontSize: 12, labelLimit: 260, orient: 'right' };
  return frame('Time and memory against depth', `batch ${options.batch}; ${placeOf(report)}`, [
    chart('time', 'Step', 'milliseconds; less is better', null),
    chart('memory', 'Peak memory', 'MiB of live tensors; less is better', legend),
  ]);
}
