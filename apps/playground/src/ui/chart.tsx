import { useEffect, useRef, useState } from 'preact/hooks';

export interface Series {
  readonly name: string;
  /** A CSS color. */
  readonly color: string;
  readonly isDashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface ChartProps {
  readonly title: string;
  readonly series: readonly Series[];
  readonly height: number;
  /** End of the horizontal axis. */
  readonly width: number;
  readonly xLabel: string;
  /** Bounds of the vertical axis; default: from 0 to the largest value. */
  readonly bounds?: readonly [number, number];
  readonly format: (value: number) => string;
  /** Marks each point, where there are few. */
  readonly hasDots?: boolean;
}

const margin = { left: 44, right: 10, top: 10, bottom: 30 };

/** Lines over a horizontal axis that starts at 0. Follows the width of its container. */
export function Chart({ title, series, height, width: end, xLabel, bounds, format, hasDots }: ChartProps) {
  const [width, setWidth] = useState(480);
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(160, Math.floor(entry.contentRect.width)));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const values = series.flatMap(({ points }) => points.map(([, y]) => y)).filter(Number.isFinite);
  const [low, high] = bounds ?? [0, Math.max(...values, 0.1) * 1.05];
  const x = (value: number) => margin.left + (value / Math.max(end, 1)) * (width - margin.left - margin.right);
  const y = (value: number) =>
    height - margin.bottom - ((value - low) / (high - low)) * (height - margin.top - margin.bottom);
  const latest = series.flatMap(({ name, points }) => {
    const last = points.at(-1);
    return last === undefined ? [] : [`${name} ${format(last[1])}`];
  });
  const label = `${title}. ${latest.length === 0 ? 'No values yet.' : `Latest: ${latest.join(', ')}.`}`;
  return (
    <div class="chart" ref={frame}>
      <svg width={width} height={height} role="img" aria-label={label}>
        {ticks(low, high).map((value) => (
          <g key={value}>
            <line class="grid" x1={margin.left} x2={width - margin.right} y1={y(value)} y2={y(value)} />
            <text class="tick" x={margin.left - 6} y={y(value) + 4} text-anchor="end">
              {format(value)}
            </text>
          </g>
        ))}
        {ticks(0, end, true).map((value) => (
          <text key={value} class="tick" x={x(value)} y={height - margin.bottom + 14} text-anchor="middle">
            {value}
          </text>
        ))}
        <text class="tick" x={width - margin.right} y={height - 3} text-anchor="end">
          {xLabel}
        </text>
        {series.map(({ name, color, isDashed, points }) => (
          <g key={name} style={{ color }}>
            <path class={isDashed ? 'line dashed' : 'line'} d={pathOf(points, x, y)} />
            {(hasDots === true || points.length === 1) &&
              points.map(([at, value]) => <circle key={at} class="dot" cx={x(at)} cy={y(value)} r="3" />)}
          </g>
        ))}
      </svg>
    </div>
  );
}

type Scale = (value: number) => number;

function pathOf(points: Series['points'], x: Scale, y: Scale): string {
  return points
    .filter(([, value]) => Number.isFinite(value))
    .map(([at, value], index) => `${index === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`)
    .join('');
}

/** About four round values. */
function ticks(low: number, high: number, isWhole = false): number[] {
  const rough = (high - low) / 4;
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough) ?? rough;
  const least = isWhole ? Math.max(1, Math.round(step)) : step;
  const count = Math.floor((high - low) / least + 1e-9);
  return Array.from({ length: count + 1 }, (_, index) =>
    Number((Math.ceil(low / least) * least + index * least).toPrecision(6)),
  ).filter((value) => value <= high + 1e-9);
}
