import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import { type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';
import { createContestant, recomputeName } from './contestants.js';
import type { CsvRecord } from './csv.js';
import { highest, type Spread, spreadOf, takeTurns } from './measure.js';
import { type MeasuredBackend, relaxedSimdColumn, startMeasuredBackend, usesRelaxedSimd } from './measured-backend.js';
import type { Contestant, MeasuredNetwork } from './options.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';

export interface BenchScalingOptions extends Omit<MeasuredNetwork, 'backbone' | 'modules'>, MeasuredBackend {
  readonly methods: readonly string[];
  readonly depths: readonly number[];
  /** Numbers of modules; those that a depth is too small for are left out there. */
  readonly moduleCounts: readonly number[];
  readonly repeats: number;
  readonly warmup: number;
}

export interface ScalingRow {
  readonly method: string;
  readonly depth: number;
  readonly modules: number;
  readonly stepMs: Spread;
  readonly peakBytes: number | null;
  readonly predictedPeakBytes: number | null;
  readonly unitsOfWork: number | null;
  /** Over end-to-end training at the same depth. */
  readonly relativeToBackprop: { readonly time: number; readonly memory: number };
}

export interface BenchScalingReport {
  readonly environment: MeasurementEnvironment;
  readonly device: string;
  readonly backend: string;
  /** Null if the backend has no such choice. */
  readonly relaxedSimd: boolean | null;
  readonly options: BenchScalingOptions;
  readonly rows: readonly ScalingRow[];
}

/** Time and memory of a step against depth and number of modules; all contestants of one depth take turns. */
export async function benchScaling(options: BenchScalingOptions, terminal: Terminal): Promise<BenchScalingReport> {
  const backend = await startMeasuredBackend(options);
  const { warmup, repeats } = options;
  try {
    const progress = createProgress(terminal, options.depths.length * (warmup + repeats));
    const rows: ScalingRow[] = [];
    for (const depth of options.depths) {
      const network = { ...options, backbone: `resnet${depth}`, modules: 1 };
      const contestants: Contestant[] = [];
      try {
        for (const name of [endToEndMethod, recomputeName])
          contestants.push(await createContestant(name, network, backend));
        for (const modules of options.moduleCounts) {
          for (const method of options.methods) {
            try {
              contestants.push(await createContestant(method, { ...network, modules }, backend));
            } catch (error) {
              const isTooMany = LocalgradError.isInstance(error) && error.code === 'invalid-option';
              if (!isTooMany) throw error;
              terminal.stderr.write(`left out at depth ${depth}: ${method}, K = ${modules}: ${error.message}\n`);
            }
          }
        }
        const measured = await takeTurns(contestants, { warmup, repeats, signal: terminal.signal }, progress);
        const plain = contestants.map((contestant, index): Omit<ScalingRow, 'relativeToBackprop'> => {
          const steps = measured[index] ?? [];
          return {
            method: contestant.name,
            depth,
            modules: contestant.modules,
            stepMs: spreadOf(steps.map(({ milliseconds }) => milliseconds)),
            peakBytes: highest(steps.map(({ peakBytes }) => peakBytes)),
            predictedPeakBytes: contestant.predicted?.peakBytes ?? null,
            unitsOfWork: contestant.predicted?.unitsOfWork ?? null,
          };
        });
        const reference = plain[0];
        for (const row of plain) {
          const time = row.stepMs.median / (reference?.stepMs.median ?? Number.NaN);
          const memory = (row.peakBytes ?? Number.NaN) / (reference?.peakBytes ?? Number.NaN);
          rows.push({ ...row, relativeToBackprop: { time, memory } });
        }
      } finally {
        for (const contestant of contestants) await contestant.close();
      }
    }
    progress.end();
    const environment = await measurementEnvironment();
    const relaxedSimd = usesRelaxedSimd(backend);
    return { environment, device: backend.device, backend: backend.name, relaxedSimd, options, rows };
  } finally {
    backend.dispose();
  }
}

export function scalingRecords({ rows, options, backend, relaxedSimd }: BenchScalingReport): CsvRecord[] {
  return rows.map((row) => ({
    method: row.method,
    backbone: `resnet${row.depth}`,
    modules: row.modules,
    backend,
    ...relaxedSimdColumn(relaxedSimd),
    batch: options.batch,
    step_ms_median: row.stepMs.median.toFixed(2),
    step_ms_min: row.stepMs.min.toFixed(2),
    step_ms_max: row.stepMs.max.toFixed(2),
    units_of_work: row.unitsOfWork?.toFixed(2) ?? null,
    peak_bytes: row.peakBytes,
    predicted_peak_bytes: row.predictedPeakBytes,
    time_relative_to_backprop: row.relativeToBackprop.time.toFixed(4),
    memory_relative_to_backprop: row.relativeToBackprop.memory.toFixed(4),
  }));
}
