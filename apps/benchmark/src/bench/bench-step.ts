import { selectBackend } from '@localgrad/backends';
import { LocalgradError } from '@localgrad/core';
import { createLiteralExecutor } from '@localgrad/engine';
import { type MeasurementEnvironment, measurementEnvironment } from '../environment.js';
import type { Terminal } from '../terminal.js';
import { engineContestant } from './engine-contestant.js';
import type { BenchStepOptions, Contestant, StepMeasurement } from './options.js';
import { startStockTape } from './peers.js';
import { timePytorch } from './pytorch.js';

export interface BenchRow {
  readonly method: string;
  readonly backbone: string;
  readonly modules: number;
  readonly backend: string;
  readonly threads: number;
  readonly batch: number;
  readonly stepMs: { readonly median: number; readonly min: number; readonly max: number };
  readonly peakBytes: number | null;
  /** Peak without weights, averages, optimizer state and batch. */
  readonly stepBytes: number | null;
  readonly imagesPerSecond: number;
  readonly relativeToBackprop: Ratios;
  /** The same against the procedure of reference code, where that was measured for this method. */
  readonly relativeToLiteral?: Ratios;
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
  readonly options: BenchStepOptions;
  readonly rows: readonly BenchRow[];
  /** What was asked for and is not here. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[];
}

/** Times training steps. Contestants take turns, so that a machine that gets slower does so for all. */
export async function benchStep(options: BenchStepOptions, terminal: Terminal): Promise<BenchReport> {
  const backend = await selectBackend(options.backend, { threads: options.threads });
  const contestants: Contestant[] = [];
  const missing: { name: string; reason: string }[] = [];
  try {
    for (const method of new Set(['backprop', ...options.methods])) {
      contestants.push(await engineContestant(method, options, backend));
      if (options.include.includes('literal') && method !== 'backprop') {
        const procedure = { name: literalName(method), create: createLiteralExecutor };
        contestants.push(await engineContestant(method, options, backend, procedure));
      }
    }
    const tryTo = async (name: string, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        if (!LocalgradError.isInstance(error)) throw error;
        missing.push({ name, reason: error.message });
        terminal.stderr.write(`MISSING ${name}: ${error.message}\n`);
      }
    };
    if (options.include.includes('stock-tape')) {
      await tryTo('stock-tape', async () => void contestants.push(await startStockTape(options)));
    }
    const measured = await takeTurns(contestants, options, terminal);
    const rows = contestants.map((contestant, index) => rowOf(contestant, measured[index] ?? [], options));
    const reference = rows[0] as BenchRow;
    if (options.include.includes('pytorch')) {
      await tryTo('pytorch', async () => void rows.push(await pytorchRow(options, reference.threads)));
    }
    return {
      environment: await measurementEnvironment(),
      options,
      rows: rows.map((row) => relate(row, reference, rows)),
      missing,
    };
  } finally {
    for (const contestant of contestants) await contestant.close();
    backend.dispose();
  }
}

async function takeTurns(
  contestants: readonly Contestant[],
  options: BenchStepOptions,
  terminal: Terminal,
): Promise<StepMeasurement[][]> {
  const measured: StepMeasurement[][] = contestants.map(() => []);
  for (let turn = 0; turn < options.warmup + options.repeats; turn++) {
    for (const [index, contestant] of contestants.entries()) {
      terminal.signal?.throwIfAborted();
      const measurement = await contestant.step();
      if (turn >= options.warmup) measured[index]?.push(measurement);
    }
    const name =
      turn < options.warmup
        ? `warm-up ${turn + 1}/${options.warmup}`
        : `round ${turn + 1 - options.warmup}/${options.repeats}`;
    terminal.stderr.write(terminal.stderr.isTTY === true ? `\r\u001b[2K${name}` : `${name}\n`);
  }
  if (terminal.stderr.isTTY === true) terminal.stderr.write('\r\u001b[2K');
  return measured;
}

async function pytorchRow(options: BenchStepOptions, threads: number): Promise<BenchRow> {
  const { stepMs } = await timePytorch(options, threads);
  const { backbone, batch } = options;
  return {
    method: 'pytorch',
    backbone,
    modules: 1,
    backend: 'pytorch',
    threads,
    batch,
    stepMs,
    peakBytes: null,
    stepBytes: null,
    imagesPerSecond: (1000 * batch) / stepMs.median,
    relativeToBackprop: { time: 1, memory: null, stepMemory: null },
  };
}

function rowOf(
  contestant: Contestant,
  measurements: readonly StepMeasurement[],
  { backbone, batch }: BenchStepOptions,
): BenchRow {
  const times = measurements.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const highest = (bytes: readonly (number | null)[]) =>
    bytes.reduce((most, value) => (value === null ? most : Math.max(most ?? 0, value)), null);
  const stepMs = { median: median(times), min: times[0] ?? Number.NaN, max: times.at(-1) ?? Number.NaN };
  return {
    method: contestant.name,
    backbone,
    modules: contestant.modules,
    backend: contestant.backend,
    threads: Number(contestant.details.threads),
    batch,
    stepMs,
    peakBytes: highest(measurements.map(({ peakBytes }) => peakBytes)),
    stepBytes: highest(measurements.map(({ stepBytes }) => stepBytes)),
    imagesPerSecond: (1000 * batch) / stepMs.median,
    relativeToBackprop: { time: 1, memory: 1, stepMemory: 1 },
  };
}

/** The row of a method's literal procedure. */
function literalName(method: string): string {
  return `literal ${method}`;
}

function relate(row: BenchRow, backprop: BenchRow, rows: readonly BenchRow[]): BenchRow {
  const literal = rows.find(({ method }) => method === literalName(row.method));
  return {
    ...row,
    relativeToBackprop: ratios(row, backprop),
    ...(literal === undefined ? {} : { relativeToLiteral: ratios(row, literal) }),
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

export function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}
