import type { MemoryInUse } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { LocalgradError } from '@localgrad/core';
import { createLiteralExecutor } from '@localgrad/engine';
import { type MeasurementEnvironment, measurementEnvironment } from '@localgrad/runs';
import { createContestant, recomputeName } from './contestants.js';
import { engineContestant } from './engine-contestant.js';
import { highest, spreadOf, takeTurns } from './measure.js';
import { startMeasuredBackend } from './measured-backend.js';
import type { BenchStepOptions, Contestant, StepMeasurement } from './options.js';
import { startStockTape } from './peers.js';
import { createProgress } from './progress.js';
import { pytorchName, startPytorch } from './pytorch.js';
import type { Terminal } from './terminal.js';

export interface BenchRow {
  readonly method: string;
  readonly backbone: string;
  readonly modules: number;
  readonly backend: string;
  readonly threads: number;
  /** Null if the backend has no such choice. */
  readonly relaxedSimd: boolean | null;
  readonly batch: number;
  readonly stepMs: { readonly median: number; readonly min: number; readonly max: number };
  readonly peakBytes: number | null;
  /** Peak without weights, averages, optimizer state and batch. */
  readonly stepBytes: number | null;
  /** What the plan says of `peakBytes` before a step is run. */
  readonly predictedPeakBytes: number | null;
  /** Forwards, weight gradients and input gradients, each 1 for the whole backbone. */
  readonly unitsOfWork: number | null;
  /** What the backend's runtime holds after the steps of all contestants, and who tells. */
  readonly deviceMemory?: MemoryInUse;
  readonly imagesPerSecond: number;
  readonly relativeToBackprop: Ratios;
  /** The same against the procedure of reference code, where that was measured for this method. */
  readonly relativeToLiteral?: Ratios;
  /** The same against PyTorch's step of this method, by the literal procedure where the method needs one. */
  readonly relativeToPytorch?: Ratios;
}

/** Ratios of medians and of peaks; null where the peak was not counted. */
export interface Ratios {
  readonly time: number;
  readonly memory: number | null;
  /** Of `stepBytes`: as publications count, who leave weights out. */
  readonly stepMemory: number | null;
}

export interface BenchReport {
  readonly environment: MeasurementEnvironment;
  /** What computed. */
  readonly device: string;
  readonly options: BenchStepOptions;
  readonly rows: readonly BenchRow[];
  /** What was asked for and is not here. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
}

/** Times training steps. Contestants take turns, so that a machine that gets slower does so for all. */
export async function benchStep(options: BenchStepOptions, terminal: Terminal): Promise<BenchReport> {
  const backend = await startMeasuredBackend(options);
  const contestants: Contestant[] = [];
  const missing: { name: string; reason: string }[] = [];
  try {
    const methods = new Set([endToEndMethod, recomputeName, ...options.methods]);
    for (const method of methods) {
      const contestant = await createContestant(method, options, backend);
      contestants.push(contestant);
      if (options.include.includes('literal') && contestant.isEndToEnd !== true) {
        const procedure = { name: literalName(method), create: createLiteralExecutor };
        contestants.push(await engineContestant(method, options, backend, procedure));
      }
    }
    const tryTo = async (name: string, start: () => Promise<Contestant>): Promise<Contestant[]> => {
      try {
        return [await start()];
      } catch (error) {
        if (!LocalgradError.isInstance(error)) throw error;
        missing.push({ name, reason: error.message });
        terminal.stderr.write(`MISSING ${name}: ${error.message}\n`);
        return [];
      }
    };
    if (options.include.includes('stock-tape')) {
      contestants.push(...(await tryTo('stock-tape', () => startStockTape(options))));
    }
    if (options.include.includes('pytorch')) {
      const [endToEnd] = await tryTo('pytorch', () => startPytorch(endToEndMethod, options, backend));
      if (endToEnd !== undefined) {
        contestants.push(endToEnd);
        methods.delete(endToEndMethod);
        // Together: loading PyTorch takes seconds, and they compute nothing yet.
        const others = [...methods].map((method) =>
          tryTo(`pytorch ${method}`, () => startPytorch(method, options, backend)),
        );
        contestants.push(...(await Promise.all(others)).flat());
      }
    }
    const progress = createProgress(terminal, options.warmup + options.repeats);
    const measured = await takeTurns(contestants, { ...options, signal: terminal.signal }, progress);
    const deviceMemory = await backend.memoryInUse();
    const rows = contestants.map((contestant, index): BenchRow => {
      const row = rowOf(contestant, measured[index] ?? [], options);
      return contestant.backend === backend.name ? { ...row, deviceMemory } : row;
    });
    const reference = rows[0] as BenchRow;
    return {
      environment: await measurementEnvironment(),
      device: backend.device,
      options,
      rows: rows.map((row) => relate(row, reference, rows)),
      missing,
    };
  } finally {
    for (const contestant of contestants) await contestant.close();
    backend.dispose();
  }
}

function rowOf(
  contestant: Contestant,
  measurements: readonly StepMeasurement[],
  { backbone, batch }: BenchStepOptions,
): BenchRow {
  const stepMs = spreadOf(measurements.map(({ milliseconds }) => milliseconds));
  return {
    method: contestant.name,
    backbone,
    modules: contestant.modules,
    backend: contestant.backend,
    threads: Number(contestant.details.threads),
    relaxedSimd: contestant.relaxedSimd ?? null,
    batch,
    stepMs,
    peakBytes: highest(measurements.map(({ peakBytes }) => peakBytes)),
    stepBytes: highest(measurements.map(({ stepBytes }) => stepBytes)),
    predictedPeakBytes: contestant.predicted?.peakBytes ?? null,
    unitsOfWork: contestant.predicted?.unitsOfWork ?? null,
    imagesPerSecond: (1000 * batch) / stepMs.median,
    relativeToBackprop: { time: 1, memory: 1, stepMemory: 1 },
  };
}

/** The row of a method's literal procedure. */
function literalName(method: string): string {
  return `literal ${method}`;
}

function relate(row: BenchRow, backprop: BenchRow, rows: readonly BenchRow[]): BenchRow {
  const find = (...names: string[]) => rows.find(({ method }) => names.includes(method));
  const literal = find(literalName(row.method));
  const pytorch = find(pytorchName(row.method, false), pytorchName(row.method, true));
  return {
    ...row,
    relativeToBackprop: ratios(row, backprop),
    ...(literal === undefined ? {} : { relativeToLiteral: ratios(row, literal) }),
    ...(pytorch === undefined ? {} : { relativeToPytorch: ratios(row, pytorch) }),
  };
}

function ratios(row: BenchRow, reference: BenchRow): Ratios {
  const over = (own: number | null, other: number | null) => (own === null || other === null ? null : own / other);
  return {
    time: row.stepMs.median / reference.stepMs.median,
    memory: over(row.peakBytes, reference.peakBytes),
    stepMemory: over(row.stepBytes, reference.stepBytes),
  };
}
