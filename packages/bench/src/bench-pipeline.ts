import { get } from '@localgrad/core';
import { checkAccumulation, type PlacementBasis, type RunConfig, type workerBackends } from '@localgrad/runs';
import type { CsvRecord } from './csv.js';
import { type IndependentProcesses, startIndependentProcesses } from './independent-processes.js';
import { highest, type Spread, spreadOf } from './measure.js';
import { type BenchmarkReport, measureOn } from './measure-on.js';
import { type MeasuredBackend, relaxedSimdColumn } from './measured-backend.js';
import type { MeasuredNetwork } from './options.js';
import { createPipelineContestant, type PipelineContestant, type PipelineTurn } from './pipeline-contestant.js';
import { createProgress } from './progress.js';
import { settingColumns } from './setting-columns.js';
import { stopIfAsked, type Terminal } from './terminal.js';

/** Delays of the workers' steps; the process that trains alone has none. */
export type MeasuredDelays = Partial<Pick<RunConfig, 'delay' | 'gradientDelay' | 'gradientDelayCuts'>>;

export interface BenchPipelineOptions extends MeasuredNetwork, MeasuredBackend, MeasuredDelays {
  readonly backend: (typeof workerBackends)[number];
  /** Threads of the process that trains alone. */
  readonly threads: number;
  readonly methods: readonly string[];
  /** Numbers of workers, each with one thread. */
  readonly workerCounts: readonly number[];
  /**
   * Also measures one process with one thread, and as many processes as workers that train copies of the network at the
   * same time: what the processor's cores can do together, whatever divides the work. Default false.
   */
  readonly independent?: boolean;
  /** Steps per turn. */
  readonly steps: number;
  readonly repeats: number;
  readonly warmup: number;
}

export interface PipelineRow {
  readonly method: string;
  readonly modules: number;
  /** Null for processes that train the whole network. */
  readonly workers: number | null;
  /** Processes that train the whole network at the same time; null for workers. */
  readonly processes: number | null;
  /** Of each process, or of each worker. */
  readonly threads: number;
  readonly placement: string | null;
  /** What the modules are divided by: measured time, predicted work, or nothing where only one division is possible. */
  readonly basis: PlacementBasis | null;
  readonly imagesPerSecond: Spread;
  /** Median throughput relative to the process with several threads. */
  readonly relativeToProcess: number;
  /** Computing time of the slowest worker relative to the mean; null for processes. */
  readonly imbalance: number | null;
  /** Fraction of a step that the slowest worker waits; null for processes. */
  readonly waitingShare: number | null;
  /** Peak bytes of one process, or of the larger worker. */
  readonly peakBytes: number | null;
  /** Throughput that the simulator predicts from the workers' computing times; null where gradients cross backward. */
  readonly predictedImagesPerSecond: number | null;
}

export type BenchPipelineReport = BenchmarkReport<BenchPipelineOptions, PipelineRow>;

/** Measures one process with several threads and pipelines of workers with one thread each, in turns. */
export async function benchPipeline(options: BenchPipelineOptions, terminal: Terminal): Promise<BenchPipelineReport> {
  checkAccumulation({ accumulate: options.accumulate ?? 1, batch: options.batch });
  // This process only starts the workers, and native TensorFlow has one number of threads per process: theirs.
  const report = await measureOn({ ...options, threads: 1 }, async () => {
    const progress = createProgress(terminal, options.methods.length * (options.warmup + options.repeats));
    const rows: PipelineRow[] = [];
    for (const method of options.methods) {
      rows.push(...(await measureMethod(method, options, terminal, (label) => progress.done(label))));
    }
    progress.end();
    return rows;
  });
  return { ...report, options };
}

async function measureMethod(
  method: string,
  options: BenchPipelineOptions,
  { signal }: Terminal,
  done: (label: string) => void,
): Promise<PipelineRow[]> {
  const { workerCounts, warmup, repeats, steps, batch, independent = false } = options;
  const pipelines: PipelineContestant[] = [];
  const processes: IndependentProcesses[] = [];
  try {
    // First the pipelines: an error of the method or the placement arises in this process.
    for (const workers of workerCounts)
      pipelines.push(await createPipelineContestant(method, workers, options, signal));
    const alone = await startIndependentProcesses(method, 1, options);
    processes.push(alone);
    for (const count of independent ? new Set([1, ...workerCounts]) : [])
      processes.push(await startIndependentProcesses(method, count, { ...options, threads: 1 }));
    const turns = new Map<IndependentProcesses | PipelineContestant, PipelineTurn[]>();
    for (const contestant of [...processes, ...pipelines]) turns.set(contestant, []);
    for (let turn = 0; turn < warmup + repeats; turn++) {
      for (const [contestant, own] of turns) {
        await stopIfAsked(signal);
        const measured = await contestant.run(steps);
        if (turn >= warmup) own.push(measured);
      }
      done(`${method}: ${turn < warmup ? `warm-up ${turn + 1}` : `round ${turn + 1 - warmup}`}`);
    }
    const turnsOf = (one: IndependentProcesses | PipelineContestant) => get(turns, one, 'contestant');
    const reference = spreadOf(turnsOf(alone).map(({ stepsPerSecond }) => batch * stepsPerSecond)).median;
    return [
      ...processes.map((one) => ({
        ...rowOf(method, alone.modules, turnsOf(one), batch, reference),
        ...{ processes: one.count, threads: one.threads },
      })),
      ...pipelines.map((one) => {
        const { workers, placement, basis } = one;
        const stepsPerSecond = one.predict(turnsOf(one));
        return {
          ...rowOf(method, alone.modules, turnsOf(one), batch, reference),
          ...{ workers, placement, basis },
          predictedImagesPerSecond: stepsPerSecond === null ? null : batch * stepsPerSecond,
        };
      }),
    ];
  } finally {
    for (const contestant of [...pipelines, ...processes]) await contestant.close();
  }
}

/** @param reference images per second of one process with several threads */
function rowOf(
  method: string,
  modules: number,
  turns: readonly PipelineTurn[],
  batch: number,
  reference: number,
): PipelineRow {
  const imagesPerSecond = spreadOf(turns.map(({ stepsPerSecond }) => batch * stepsPerSecond));
  return {
    ...{ method, modules, workers: null, processes: null, threads: 1, placement: null, basis: null },
    imagesPerSecond,
    relativeToProcess: imagesPerSecond.median / reference,
    ...balanceOf(turns),
    peakBytes: highest(turns.map(({ peakBytes }) => peakBytes)),
    predictedImagesPerSecond: null,
  };
}

/** How evenly workers compute, and how long the slowest waits. */
export function balanceOf(turns: readonly PipelineTurn[]): Pick<PipelineRow, 'imbalance' | 'waitingShare'> {
  const [first] = turns;
  if (first === undefined || first.workers.length === 0) return { imbalance: null, waitingShare: null };
  const workers = first.workers.map((_, index) => ({
    seconds: spreadOf(turns.map((turn) => turn.workers[index]?.seconds ?? Number.NaN)).median,
    waitSeconds: spreadOf(turns.map((turn) => turn.workers[index]?.waitSeconds ?? Number.NaN)).median,
  }));
  const slowest = workers.reduce((most, one) => (one.seconds > most.seconds ? one : most));
  const mean = workers.reduce((sum, { seconds }) => sum + seconds, 0) / workers.length;
  return {
    imbalance: slowest.seconds / mean,
    waitingShare: slowest.waitSeconds / (slowest.seconds + slowest.waitSeconds),
  };
}

export function pipelineRecords({ rows, options, backend, relaxedSimd }: BenchPipelineReport): CsvRecord[] {
  return rows.map((row) => ({
    method: row.method,
    backbone: options.backbone,
    modules: row.modules,
    backend,
    ...relaxedSimdColumn(relaxedSimd),
    batch: options.batch,
    ...settingColumns(options),
    workers: row.workers ?? 'none',
    processes: row.processes,
    threads: row.threads,
    ...delayColumns(row, options),
    placement: row.placement,
    placement_by: row.basis,
    images_per_second_median: row.imagesPerSecond.median.toFixed(2),
    images_per_second_min: row.imagesPerSecond.min.toFixed(2),
    images_per_second_max: row.imagesPerSecond.max.toFixed(2),
    relative_to_process: row.relativeToProcess.toFixed(4),
    imbalance: row.imbalance?.toFixed(4) ?? null,
    waiting_share: row.waitingShare?.toFixed(4) ?? null,
    peak_bytes: row.peakBytes,
    predicted_images_per_second: row.predictedImagesPerSecond?.toFixed(2) ?? null,
  }));
}

function delayColumns({ workers }: PipelineRow, { delay = 0, gradientDelay = 0, gradientDelayCuts }: MeasuredDelays) {
  if (workers === null) return { delay: 0, gradient_delay: 0, gradient_delay_cuts: null };
  return { delay, gradient_delay: gradientDelay, gradient_delay_cuts: gradientDelayCuts ?? null };
}
