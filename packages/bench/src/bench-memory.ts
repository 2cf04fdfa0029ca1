import { selectBackend } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { buildPlan, type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';
import { createContestant, recomputeName, withCheckpoints } from './contestants.js';
import type { CsvRecord } from './csv.js';
import { highest } from './measure.js';
import type { MeasuredNetwork } from './options.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';

export interface BenchMemoryOptions extends Omit<MeasuredNetwork, 'batch'> {
  readonly methods: readonly string[];
  readonly backend: string;
  readonly threads: number | 'auto';
  readonly budgetBytes: number;
  /** Largest batch of a measured step: what is beyond it rests on the prediction alone. */
  readonly measureUpTo: number;
}

export interface MemoryRow {
  readonly method: string;
  readonly modules: number;
  /** Largest batch whose predicted peak fits, times what the measured step took more than predicted; 0: none. */
  readonly largestBatch: number;
  readonly relativeToBackprop: number;
  /** Of weights, averages and optimizer state, whatever the batch. */
  readonly residentBytes: number;
  readonly bytesPerImage: number;
  /** A real step, at the largest batch or the largest that is measured. */
  readonly measured: { readonly batch: number; readonly peakBytes: number; readonly predictedBytes: number } | null;
  /** Predicted peaks, for figures. */
  readonly curve: readonly { readonly batch: number; readonly peakBytes: number }[];
}

export interface BenchMemoryReport {
  readonly environment: MeasurementEnvironment;
  readonly device: string;
  readonly backend: string;
  readonly options: BenchMemoryOptions;
  readonly rows: readonly MemoryRow[];
}

/** The largest batch that fits a budget, by method: from the plan's prediction, which a real step corrects. */
export async function benchMemory(options: BenchMemoryOptions, terminal: Terminal): Promise<BenchMemoryReport> {
  const backend = await selectBackend(options.backend, { threads: options.threads });
  try {
    const methods = [...new Set([endToEndMethod, recomputeName, ...options.methods])];
    const progress = createProgress(terminal, methods.length);
    const rows: MemoryRow[] = [];
    for (const method of methods) {
      terminal.signal?.throwIfAborted();
      const plan = await planOf(method, options);
      const { predict, modules } = plan;
      const predictedLargest = largestFitting((batch) => predict(batch).peakBytes, options.budgetBytes);
      const { residentBytes, peakBytes: one } = predict(1);
      const batch = Math.min(predictedLargest, options.measureUpTo);
      const curve = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].map((size) => ({
        batch: size,
        peakBytes: predict(size).peakBytes,
      }));
      const bytesPerImage = (predict(65).peakBytes - one) / 64;
      const predictedBytes = predict(Math.max(1, batch)).peakBytes;
      const measured =
        batch === 0
          ? null
          : { batch, predictedBytes, peakBytes: await measurePeak(method, { ...options, batch }, backend) };
      // Kernels that need temporaries of their own take more than the plan predicts.
      const excess = Math.max(1, (measured?.peakBytes ?? 0) / predictedBytes);
      const largestBatch = largestFitting((size) => excess * predict(size).peakBytes, options.budgetBytes);
      plan.dispose();
      const reference = rows[0]?.largestBatch ?? largestBatch;
      const relativeToBackprop = largestBatch / reference;
      rows.push({ method, modules, largestBatch, relativeToBackprop, residentBytes, bytesPerImage, measured, curve });
      progress.done(method);
    }
    progress.end();
    const environment = await measurementEnvironment();
    return { environment, device: backend.device, backend: backend.name, options, rows };
  } finally {
    backend.dispose();
  }
}

async function planOf(method: string, options: BenchMemoryOptions) {
  const isRecomputed = method === recomputeName;
  const network = isRecomputed ? await withCheckpoints({ ...options, batch: 1 }) : options;
  const built = await buildPlan(
    { ...network, method: isRecomputed ? endToEndMethod : method, seed: 1 },
    { imageShape: options.image, classes: options.classes },
  );
  return { predict: built.compiled.predict, modules: built.network.modules.length, dispose: built.dispose };
}

/** The second step's peak: from then on optimizer state is there. */
async function measurePeak(
  method: string,
  options: MeasuredNetwork,
  backend: Parameters<typeof createContestant>[2],
): Promise<number> {
  const contestant = await createContestant(method, options, backend);
  try {
    const peaks = [await contestant.step(), await contestant.step()].map(({ peakBytes }) => peakBytes);
    return highest(peaks) ?? Number.NaN;
  } finally {
    await contestant.close();
  }
}

/** Peaks grow with the batch: the largest batch whose peak is within the budget. */
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
    largest_batch: row.largestBatch,
    largest_batch_relative_to_backprop: row.relativeToBackprop.toFixed(4),
    resident_bytes: row.residentBytes,
    bytes_per_image: Math.round(row.bytesPerImage),
    measured_batch: row.measured?.batch ?? null,
    peak_bytes: row.measured?.peakBytes ?? null,
    predicted_peak_bytes: row.measured?.predictedBytes ?? null,
  }));
}
