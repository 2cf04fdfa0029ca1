import type { BenchReport } from './bench-step.js';
import type { CsvRecord } from './csv.js';
import { relaxedSimdColumn } from './measured-backend.js';
import { settingColumns } from './setting-columns.js';

/** The rows of `bench step` as records for a CSV file. */
export function stepRecords({ rows, options }: BenchReport): CsvRecord[] {
  const ratio = (value: number | null | undefined) => value?.toFixed(4) ?? null;
  return rows.map((row) => ({
    method: row.method,
    backbone: row.backbone,
    modules: row.modules,
    backend: row.backend,
    threads: row.threads,
    ...relaxedSimdColumn(row.relaxedSimd),
    batch: row.batch,
    ...settingColumns(options),
    step_ms_median: row.stepMs.median.toFixed(2),
    step_ms_min: row.stepMs.min.toFixed(2),
    step_ms_max: row.stepMs.max.toFixed(2),
    images_per_second: row.imagesPerSecond.toFixed(1),
    units_of_work: row.unitsOfWork?.toFixed(2) ?? null,
    peak_bytes: row.peakBytes,
    predicted_peak_bytes: row.predictedPeakBytes,
    step_bytes: row.stepBytes,
    device_bytes: row.deviceMemory?.bytes ?? null,
    device_bytes_method: row.deviceMemory?.method ?? null,
    time_relative_to_backprop: ratio(row.relativeToBackprop.time),
    memory_relative_to_backprop: ratio(row.relativeToBackprop.memory),
    step_memory_relative_to_backprop: ratio(row.relativeToBackprop.stepMemory),
    time_relative_to_literal: ratio(row.relativeToLiteral?.time),
    memory_relative_to_literal: ratio(row.relativeToLiteral?.memory),
    step_memory_relative_to_literal: ratio(row.relativeToLiteral?.stepMemory),
    time_relative_to_ordinary: ratio(row.relativeToOrdinary?.time),
    memory_relative_to_ordinary: ratio(row.relativeToOrdinary?.memory),
    step_memory_relative_to_ordinary: ratio(row.relativeToOrdinary?.stepMemory),
    time_relative_to_one_thread: ratio(row.relativeToOneThread?.time),
    time_relative_to_pytorch: ratio(row.relativeToPytorch?.time),
    memory_relative_to_pytorch: ratio(row.relativeToPytorch?.memory),
    step_memory_relative_to_pytorch: ratio(row.relativeToPytorch?.stepMemory),
  }));
}
