import type { BenchReport } from './bench-step.js';

/** One line a row; what it was measured on stands in every line, so that files can be put together. */
export function csvOf({ environment, rows }: BenchReport): string {
  const header = [
    'method',
    'backbone',
    'modules',
    'backend',
    'threads',
    'batch',
    'step_ms_median',
    'step_ms_min',
    'step_ms_max',
    'images_per_second',
    'peak_bytes',
    'step_bytes',
    'time_relative_to_backprop',
    'memory_relative_to_backprop',
    'step_memory_relative_to_backprop',
    'time_relative_to_literal',
    'memory_relative_to_literal',
    'step_memory_relative_to_literal',
    'cpu',
    'cores',
    'platform',
    'runtime',
    'tfjs',
    'localgrad',
    'commit',
    'date',
  ];
  const lines = rows.map((row) => [
    row.method,
    row.backbone,
    row.modules,
    row.backend,
    row.threads,
    row.batch,
    row.stepMs.median.toFixed(2),
    row.stepMs.min.toFixed(2),
    row.stepMs.max.toFixed(2),
    row.imagesPerSecond.toFixed(1),
    row.peakBytes ?? '',
    row.stepBytes ?? '',
    row.relativeToBackprop.time.toFixed(4),
    row.relativeToBackprop.memory?.toFixed(4) ?? '',
    row.relativeToBackprop.stepMemory?.toFixed(4) ?? '',
    row.relativeToLiteral?.time.toFixed(4) ?? '',
    row.relativeToLiteral?.memory?.toFixed(4) ?? '',
    row.relativeToLiteral?.stepMemory?.toFixed(4) ?? '',
    environment.cpu,
    environment.cores,
    environment.platform,
    environment.runtime,
    environment.tfjs,
    environment.localgrad,
    environment.commit ?? '',
    environment.date,
  ]);
  return `${[header, ...lines].map((line) => line.map(field).join(',')).join('\n')}\n`;
}

function field(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
