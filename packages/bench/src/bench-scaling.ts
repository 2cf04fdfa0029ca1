import type { BackendHandle } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import { createContestant, recomputeName } from './contestants.js';
import type { CsvRecord } from './csv.js';
import { costOfSteps, ratioOf, type StepCost, takeTurns, withContestants } from './measure.js';
import { type BenchmarkReport, measureOn } from './measure-on.js';
import { type MeasuredBackend, relaxedSimdColumn } from './measured-backend.js';
import type { Contestant, MeasuredNetwork } from './options.js';
import { createProgress, type Progress } from './progress.js';
import { settingColumns } from './setting-columns.js';
import type { Terminal } from './terminal.js';

export interface BenchScalingOptions extends Omit<MeasuredNetwork, 'backbone' | 'modules'>, MeasuredBackend {
  readonly methods: readonly string[];
  readonly depths: readonly number[];
  /** Numbers of modules; those that exceed the blocks of a depth are omitted there. */
  readonly moduleCounts: readonly number[];
  readonly repeats: number;
  readonly warmup: number;
}

export interface ScalingRow extends StepCost {
  readonly depth: number;
  /** Relative to end-to-end training at the same depth. */
  readonly relativeToBackprop: { readonly time: number; readonly memory: number | null };
}

export type BenchScalingReport = BenchmarkReport<BenchScalingOptions, ScalingRow>;

/** Measures time and memory of a step by depth and number of modules; all contestants of a depth take turns. */
export function benchScaling(options: BenchScalingOptions, terminal: Terminal): Promise<BenchScalingReport> {
  return measureOn(options, async (backend) => {
    const progress = createProgress(terminal, options.depths.length * (options.warmup + options.repeats));
    const rows: ScalingRow[] = [];
    for (const depth of options.depths) rows.push(...(await measureDepth(depth, options, backend, terminal, progress)));
    return rows;
  });
}

function measureDepth(
  depth: number,
  options: BenchScalingOptions,
  backend: BackendHandle,
  terminal: Terminal,
  progress: Progress,
): Promise<ScalingRow[]> {
  const network = { ...options, backbone: `cifar-resnet${depth}`, modules: 1 };
  return withContestants(async (contestants) => {
    for (const name of [endToEndMethod, recomputeName]) {
      contestants.push(await createContestant(name, network, backend));
    }
    for (const modules of options.moduleCounts) {
      for (const method of options.methods) {
        contestants.push(...(await createIfDivisible(method, { ...network, modules }, depth, backend, terminal)));
      }
    }
    const measured = await takeTurns(contestants, { ...options, signal: terminal.signal }, progress);
    const costs = contestants.map((contestant, index) => costOfSteps(contestant, measured[index] ?? []));
    const [first] = costs;
    return costs.map((cost) => {
      const time = cost.stepMs.median / (first?.stepMs.median ?? Number.NaN);
      const memory = ratioOf(cost.peakBytes, first?.peakBytes);
      return { ...cost, depth, relativeToBackprop: { time, memory } };
    });
  });
}

/** The contestant, or none, with a message, if the network has too few blocks for its modules. */
async function createIfDivisible(
  method: string,
  network: MeasuredNetwork,
  depth: number,
  backend: BackendHandle,
  terminal: Terminal,
): Promise<Contestant[]> {
  try {
    return [await createContestant(method, network, backend)];
  } catch (error) {
    const isTooMany = LocalgradError.isInstance(error) && error.code === 'invalid-option';
    if (!isTooMany) throw error;
    terminal.stderr.write(`left out at depth ${depth}: ${method}, K = ${network.modules}: ${error.message}\n`);
    return [];
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
    ...settingColumns(options),
    step_ms_median: row.stepMs.median.toFixed(2),
    step_ms_min: row.stepMs.min.toFixed(2),
    step_ms_max: row.stepMs.max.toFixed(2),
    units_of_work: row.unitsOfWork?.toFixed(2) ?? null,
    peak_bytes: row.peakBytes,
    predicted_peak_bytes: row.predictedPeakBytes,
    time_relative_to_backprop: row.relativeToBackprop.time.toFixed(4),
    memory_relative_to_backprop: row.relativeToBackprop.memory?.toFixed(4) ?? null,
  }));
}
