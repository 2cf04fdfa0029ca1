import type { BackendHandle } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import type { PeakPrediction } from '@localgrad/engine';
import { buildPlan } from '@localgrad/runs';
import { createContestant, recomputeName, settingOf } from './contestants.js';
import type { CsvRecord } from './csv.js';
import { highest, ratioOf, withContestants } from './measure.js';
import { type BenchmarkReport, measureOn } from './measure-on.js';
import type { MeasuredBackend } from './measured-backend.js';
import { optimizerOf } from './optimization.js';
import type { MeasuredNetwork } from './options.js';
import { createProgress } from './progress.js';
import { settingColumns } from './setting-columns.js';
import { stopIfAsked, type Terminal } from './terminal.js';

export interface BenchMemoryOptions extends Omit<MeasuredNetwork, 'batch'>, MeasuredBackend {
  readonly methods: readonly string[];
  readonly budgetBytes: number;
  /** Largest batch of a measured step; larger batches are predicted only. */
  readonly measureUpTo: number;
}

export interface MemoryRow {
  readonly method: string;
  readonly modules: number;
  /** Largest batch whose predicted peak, corrected by the measured step, fits the budget; 0 if none does. */
  readonly largestBatch: number;
  /** Ratio to the largest batch of end-to-end training; null if end-to-end training does not fit at all. */
  readonly relativeToBackprop: number | null;
  /** Bytes of weights, averages and optimizer state, for any batch. */
  readonly residentBytes: number;
  readonly bytesPerImage: number;
  /** A real step with the largest batch, but at most `measureUpTo`. */
  readonly measured: { readonly batch: number; readonly peakBytes: number; readonly predictedBytes: number } | null;
  /** Predicted peaks, for figures. */
  readonly curve: readonly { readonly batch: number; readonly peakBytes: number }[];
}

export type BenchMemoryReport = BenchmarkReport<BenchMemoryOptions, MemoryRow>;

/** Finds the largest batch that fits a budget, for each method, from the plan's prediction and a real step. */
export function benchMemory(options: BenchMemoryOptions, terminal: Terminal): Promise<BenchMemoryReport> {
  return measureOn(options, async (backend) => {
    const methods = [...new Set([endToEndMethod, recomputeName, ...options.methods])];
    const progress = createProgress(terminal, methods.length);
    const rows: MemoryRow[] = [];
    for (const method of methods) {
      await stopIfAsked(terminal.signal);
      const row = await memoryOf(method, options, backend, terminal);
      const reference = rows[0]?.largestBatch ?? row.largestBatch;
      rows.push({ ...row, relativeToBackprop: ratioOf(row.largestBatch, reference) });
      progress.done(method);
    }
    progress.end();
    return rows;
  });
}

const curveBatches = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

async function memoryOf(
  method: string,
  options: BenchMemoryOptions,
  backend: BackendHandle,
  terminal: Terminal,
): Promise<Omit<MemoryRow, 'relativeToBackprop'>> {
  const { budgetBytes, measureUpTo, accumulate = 1 } = options;
  const plan = await planOf(method, options);
  const { predict, modules } = plan;
  const largestWithin = (factor: number) => {
    const largest = largestFitting((size) => factor * predict(size).peakBytes, budgetBytes);
    // Each micro-batch needs at least one image.
    return largest < accumulate ? 0 : largest;
  };
  const batch = Math.min(largestWithin(1), Math.max(measureUpTo, accumulate));
  const { residentBytes, peakBytes: one } = predict(1);
  const bytesPerImage = (predict(65).peakBytes - one) / 64;
  const curve = curveBatches.map((size) => ({ batch: size, peakBytes: predict(size).peakBytes }));
  const predictedBytes = predict(Math.max(1, batch)).peakBytes;
  const peakBytes = batch === 0 ? null : await measureAt(method, { ...options, batch }, backend, terminal);
  const measured = peakBytes === null ? null : { batch, predictedBytes, peakBytes };
  // Temporaries inside kernels are not predicted.
  const excess = Math.max(1, (measured?.peakBytes ?? 0) / predictedBytes);
  const largestBatch = largestWithin(excess);
  plan.dispose();
  return { method, modules, largestBatch, residentBytes, bytesPerImage, measured, curve };
}

interface PredictablePlan {
  readonly modules: number;
  predict(batch: number): PeakPrediction;
  dispose(): void;
}

async function planOf(method: string, options: BenchMemoryOptions): Promise<PredictablePlan> {
  const setting = await settingOf(method, { ...options, batch: 1 });
  const optimizer = await optimizerOf(options);
  const { accumulate = 1 } = options;
  const { compiled, dispose } = await buildPlan(
    { ...setting.network, method: setting.method, seed: 1 },
    { imageShape: options.image, classes: options.classes },
  );
  return {
    modules: compiled.network.modules.length,
    predict: (batch) => compiled.predict(batch, { optimizer, accumulate }),
    dispose,
  };
}

/** Null, with a message, for micro-batches of one image that the network cannot be trained on. */
async function measureAt(method: string, options: MeasuredNetwork, backend: BackendHandle, { stderr }: Terminal) {
  const { batch, accumulate = 1 } = options;
  try {
    return await measurePeak(method, options, backend);
  } catch (error) {
    if (batch >= 2 * accumulate || !LocalgradError.isInstance(error) || error.code !== 'invalid-data') throw error;
    stderr.write(`${method}: not measured with ${batch === 1 ? 'one image' : `${batch} images`}: ${error.message}\n`);
    return null;
  }
}

/** Peak bytes of two steps; the second one includes the optimizer state from its start. */
function measurePeak(method: string, options: MeasuredNetwork, backend: BackendHandle): Promise<number> {
  return withContestants(async (contestants) => {
    const contestant = await createContestant(method, options, backend);
    contestants.push(contestant);
    const peaks = [await contestant.step(), await contestant.step()].map(({ peakBytes }) => peakBytes);
    return highest(peaks) ?? Number.NaN;
  });
}

/** The largest batch whose peak is within the budget; peaks must grow with the batch. */
export function largestFitting(peakBytes: (batch: number) => number, budget: number): number {
  if (peakBytes(1) > budget) return 0;
  let [fits, tooLarge] = [1, 2];
  while (peakBytes(tooLarge) <= budget) [fits, tooLarge] = [tooLarge, 2 * tooLarge];
  while (tooLarge - fits > 1) {
    const middle = Math.floor((fits + tooLarge) / 2);
    if (peakBytes(middle) <= budget) fits = middle;
    else tooLarge = middle;
  }
  return fits;
}

export function memoryRecords({ rows, options, backend }: BenchMemoryReport): CsvRecord[] {
  return rows.map((row) => ({
    method: row.method,
    backbone: options.backbone,
    modules: row.modules,
    backend,
    budget_bytes: options.budgetBytes,
    ...settingColumns(options),
    largest_batch: row.largestBatch,
    largest_batch_relative_to_backprop: row.relativeToBackprop?.toFixed(4) ?? null,
    resident_bytes: row.residentBytes,
    bytes_per_image: Math.round(row.bytesPerImage),
    measured_batch: row.measured?.batch ?? null,
    peak_bytes: row.measured?.peakBytes ?? null,
    predicted_peak_bytes: row.measured?.predictedBytes ?? null,
  }));
}
