import { type ChartSpec, colourOf, ink, paper } from '@localgrad/report';
import type { MethodResult, QuickstartResults } from '../quickstart/results.js';
import { mean } from '../quickstart/results.js';

function colourScale(runs: readonly MethodResult[]) {
  return { domain: runs.map(({ label }) => label), range: runs.map((_, index) => colourOf(index)) };
}

interface Point {
  readonly method: string;
  readonly x: number;
  readonly y: number;
  readonly seed?: number;
}

interface CurveOptions {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly format: string;
  readonly xValues?: readonly number[];
  readonly withPoints: boolean;
}

/** Means as lines with their names at the end, seeds as thin lines behind. */
function curves({ runs }: QuickstartResults, points: readonly Point[], options: CurveOptions): ChartSpec {
  const color = { field: 'method', type: 'nominal', scale: colourScale(runs), legend: null };
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const means = runs.flatMap(({ label }) =>
    xs.flatMap((x) => {
      const values = points.filter((point) => point.method === label && point.x === x).map(({ y }) => y);
      return values.length === 0 ? [] : [{ method: label, x, y: mean(values) }];
    }),
  );
  const last = xs.at(-1) ?? 0;
  const heights = means.map(({ y }) => y);
  const gap = 0.075 * (Math.max(...heights) - Math.min(...heights));
  const labels = spread(
    means.filter(({ x }) => x === last),
    gap,
  );
  const x = {
    field: 'x',
    type: 'quantitative',
    title: options.x,
    scale: { domain: [Math.min(...xs), last], nice: false, zero: false },
    axis: {
      grid: false,
      ...(options.xValues === undefined ? { tickCount: 5 } : { values: options.xValues, format: 'd' }),
    },
  };
  const y = {
    field: 'y',
    type: 'quantitative',
    title: options.y,
    scale: { zero: false, nice: true },
    axis: { format: options.format, tickCount: 5 },
  };
  return {
    title: { text: options.title, subtitle: options.subtitle },
    width: 250,
    height: 190,
    encoding: { x, color },
    layer: [
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 1, opacity: 0.35 },
        encoding: { y, detail: { field: 'seed', type: 'nominal' } },
      },
      {
        data: { values: means },
        mark: {
          type: 'line',
          strokeWidth: 2.5,
          strokeCap: 'round',
          ...(options.withPoints ? { point: { size: 45, filled: true } } : {}),
        },
        encoding: { y },
      },
      {
        data: { values: labels },
        mark: { type: 'text', align: 'left', dx: 10, fontSize: 12, fontWeight: 'bold' },
        encoding: { y: { field: 'at', type: 'quantitative' }, text: { field: 'method' } },
      },
    ],
  };
}

/** Moves labels apart that would lie on each other. */
function spread<T extends { y: number }>(ends: readonly T[], gap: number): (T & { at: number })[] {
  const sorted = [...ends].sort((a, b) => a.y - b.y);
  let floor = Number.NEGATIVE_INFINITY;
  return sorted.map((end) => {
    const at = Math.max(end.y, floor);
    floor = at + gap;
    return { ...end, at };
  });
}

/** Test accuracy after each epoch. */
export function accuracyCurves(results: QuickstartResults): ChartSpec {
  const points = results.runs.flatMap(({ label, seeds }) =>
    seeds.flatMap(({ seed, epochs }) =>
      epochs.flatMap(({ epoch, testAccuracy }) =>
        testAccuracy === undefined ? [] : [{ method: label, seed, x: epoch, y: testAccuracy }],
      ),
    ),
  );
  return curves(results, points, {
    title: 'Test accuracy',
    subtitle: 'after each epoch; higher is better',
    x: 'epoch',
    y: '',
    format: '.0%',
    xValues: [...new Set(points.map(({ x }) => x))],
    withPoints: true,
  });
}

/** The classifier's training loss. */
export function lossCurves(results: QuickstartResults): ChartSpec {
  const points = results.runs.flatMap(({ label, seeds }) =>
    seeds.flatMap(({ seed, trainingLoss }) =>
      trainingLoss.map(({ step, loss }) => ({ method: label, seed, x: step, y: loss })),
    ),
  );
  return curves(results, points, {
    title: "Classifier's training loss",
    subtitle: 'cross-entropy; lower is better',
    x: 'step',
    y: '',
    format: '.1f',
    withPoints: false,
  });
}

interface BarOptions {
  readonly title: string;
  readonly subtitle: string;
  readonly value: (run: MethodResult) => number;
  readonly text: (run: MethodResult) => string;
}

/** Horizontal bars from zero with the value at the end. */
export function bars({ runs }: QuickstartResults, { title, subtitle, value, text }: BarOptions): ChartSpec {
  const values = runs.map((run) => ({ method: run.label, value: value(run), text: text(run) }));
  const most = Math.max(...values.map((entry) => entry.value));
  return {
    title: { text: title, subtitle },
    width: 250,
    height: 30 * runs.length,
    data: { values },
    encoding: {
      y: {
        field: 'method',
        type: 'nominal',
        sort: null,
        title: null,
        axis: { labelColor: ink, labelFontSize: 12, labelLimit: 140 },
        scale: { paddingInner: 0.35, paddingOuter: 0.1 },
      },
      x: { field: 'value', type: 'quantitative', axis: null, scale: { domain: [0, most * 1.5], nice: false } },
    },
    layer: [
      {
        mark: { type: 'rect', height: { band: 1 } },
        encoding: { x: { datum: 0 }, x2: { datum: most * 1.5 }, color: { value: 'transparent' } },
      },
      {
        mark: { type: 'bar', cornerRadiusEnd: 3 },
        encoding: { color: { field: 'method', type: 'nominal', scale: colourScale(runs), legend: null } },
      },
      { mark: { type: 'text', align: 'left', dx: 8, fontSize: 12, fill: ink }, encoding: { text: { field: 'text' } } },
    ],
  };
}

/** The picture for READMEs: curves beside bars, on paper. */
export function overview(
  results: QuickstartResults,
  parts: readonly ChartSpec[],
  title: string,
  subtitle: string,
): ChartSpec {
  const [curve, ...columns] = parts;
  return {
    background: paper,
    padding: 28,
    title: { text: title, subtitle, fontSize: 19, subtitleFontSize: 12.5, offset: 26, subtitlePadding: 8 },
    spacing: 70,
    hconcat: [
      { ...curve, width: 340, height: 250 },
      { spacing: 30, vconcat: columns.map((part) => ({ ...part, width: 300, height: 22 * results.runs.length })) },
    ],
    resolve: { scale: { color: 'shared' } },
  };
}
