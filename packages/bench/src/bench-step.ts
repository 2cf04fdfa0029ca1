import type { BackendHandle, MemoryInUse } from '@localgrad/backends';
import { endToEndMethod } from '@localgrad/catalog';
import { at, LocalgradError } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { createContestant, recomputeName } from './contestants.js';
import { costOfSteps, highest, type StepCost, takeTurns, withContestants } from './measure.js';
import { type BenchmarkReport, measureOn } from './measure-on.js';
import { type BenchStepOptions, type Contestant, pytorchVariants, type StepMeasurement } from './options.js';
import { oneThreadName, startOneThread, startStockTape } from './peers.js';
import { createProgress } from './progress.js';
import { pytorchName, startPytorch } from './pytorch.js';
import type { Terminal } from './terminal.js';

export interface BenchRow extends StepCost {
  readonly backbone: string;
  readonly backend: string;
  readonly threads: number;
  /** Null if the backend has no such choice. */
  readonly relaxedSimd: boolean | null;
  readonly batch: number;
  /** Peak bytes without weights, averages, optimizer state and batch. */
  readonly stepBytes: number | null;
  /** Memory that the backend's runtime uses after the steps of all contestants, and how it was measured. */
  readonly deviceMemory?: MemoryInUse;
  readonly imagesPerSecond: number;
  readonly relativeToBackprop: Ratios;
  /** Relative to the procedure of reference code, if that was measured for this method. */
  readonly relativeToLiteral?: Ratios;
  /** Relative to the same steps without a recording, if those were measured. */
  readonly relativeToOrdinary?: Ratios;
  /** Relative to the same steps on one thread, if those were measured. */
  readonly relativeToOneThread?: Ratios;
  /** Relative to PyTorch's step of this method, with the literal procedure if the method needs one. */
  readonly relativeToPytorch?: Ratios;
}

/** Ratios of medians and of peaks; null if a peak was not counted. */
export interface Ratios {
  readonly time: number;
  readonly memory: number | null;
  /** Ratio of `stepBytes`: publications count without weights. */
  readonly stepMemory: number | null;
}

export interface BenchReport extends BenchmarkReport<BenchStepOptions, BenchRow> {
  /** Requested peers that are not available. */
  readonly missing: readonly MissingPeer[];
}

interface MissingPeer {
  readonly name: string;
  readonly reason: string;
}

/** A step is recorded after two equal ones; the first creates the optimizer's state. */
const stepsUntilRecorded = 5;

/** Times training steps. Contestants take turns, so that a machine that becomes slower does so for all. */
export async function benchStep(options: BenchStepOptions, terminal: Terminal): Promise<BenchReport> {
  const missing: MissingPeer[] = [];
  const report = await measureOn(options, (backend) =>
    withContestants(async (contestants) => {
      const reportMissing = (peer: MissingPeer) => {
        missing.push(peer);
        terminal.stderr.write(`MISSING ${peer.name}: ${peer.reason}\n`);
      };
      const records = currentKernels().recorder !== undefined;
      const wantsOrdinary = options.include.includes('ordinary');
      if (wantsOrdinary && !records) {
        reportMissing({
          name: 'ordinary',
          reason: `Backend '${backend.name}' does not record steps: all of them are ordinary.`,
        });
      }
      await addMethods(contestants, options, backend, wantsOrdinary && records);
      const ownCount = contestants.length;
      await addPeers(contestants, options, backend, reportMissing);
      const warmup = records ? Math.max(stepsUntilRecorded, options.warmup) : options.warmup;
      const progress = createProgress(terminal, warmup + options.repeats);
      const turns = { repeats: options.repeats, warmup, signal: terminal.signal };
      const measured = await takeTurns(contestants, turns, progress);
      const deviceMemory = await backend.memoryInUse();
      const rows = contestants.map((contestant, index): BenchRow => {
        const row = rowOf(contestant, measured[index] ?? [], options);
        return index < ownCount ? { ...row, deviceMemory } : row;
      });
      return rows.map((row) => relate(row, at(rows, 0, 'row'), rows));
    }),
  );
  return { ...report, missing };
}

function methodsOf(options: BenchStepOptions): Set<string> {
  return new Set([endToEndMethod, recomputeName, ...options.methods]);
}

async function addMethods(
  contestants: Contestant[],
  options: BenchStepOptions,
  backend: BackendHandle,
  withOrdinary: boolean,
): Promise<void> {
  for (const method of methodsOf(options)) {
    const contestant = await createContestant(method, options, backend);
    contestants.push(contestant);
    if (withOrdinary && method !== recomputeName) {
      const procedure = { name: ordinaryName(method), recordSteps: false };
      contestants.push(await createContestant(method, options, backend, procedure));
    }
    if (options.include.includes('literal') && contestant.isEndToEnd !== true) {
      const procedure = { name: literalName(method), isLiteral: true };
      contestants.push(await createContestant(method, options, backend, procedure));
    }
  }
}

async function addPeers(
  contestants: Contestant[],
  options: BenchStepOptions,
  backend: BackendHandle,
  reportMissing: (peer: MissingPeer) => void,
): Promise<void> {
  const tryTo = async (name: string, start: () => Promise<Contestant>): Promise<Contestant[]> => {
    try {
      return [await start()];
    } catch (error) {
      if (!LocalgradError.isInstance(error)) throw error;
      reportMissing({ name, reason: error.message });
      return [];
    }
  };
  if (options.include.includes('one-thread')) {
    if (backend.threads === 1) {
      reportMissing({ name: 'one-thread', reason: `Backend '${backend.name}' has one thread already.` });
    } else {
      const rows = [...methodsOf(options)];
      const started = rows.map((row) => tryTo(oneThreadName(row), () => startOneThread(row, options)));
      contestants.push(...(await Promise.all(started)).flat());
    }
  }
  if (options.include.includes('stock-tape')) {
    contestants.push(...(await tryTo('stock-tape', () => startStockTape(options))));
  }
  for (const variant of pytorchVariants.filter((name) => options.include.includes(name))) {
    const start = (method: string) => () => startPytorch(method, options, backend, variant);
    const endToEnd = await tryTo(variant, start(endToEndMethod));
    contestants.push(...endToEnd);
    if (endToEnd.length === 0) continue;
    const others = [...methodsOf(options)].filter((method) => method !== endToEndMethod);
    // Started together: loading PyTorch takes seconds, and nothing is computed yet.
    const started = others.map((method) => tryTo(`${variant} ${method}`, start(method)));
    contestants.push(...(await Promise.all(started)).flat());
  }
}

function rowOf(
  contestant: Contestant,
  measurements: readonly StepMeasurement[],
  { backbone, batch }: BenchStepOptions,
): BenchRow {
  const cost = costOfSteps(contestant, measurements);
  return {
    ...cost,
    backbone,
    backend: contestant.backend,
    threads: Number(contestant.details.threads),
    relaxedSimd: contestant.relaxedSimd ?? null,
    batch,
    stepBytes: highest(measurements.map(({ stepBytes }) => stepBytes)),
    imagesPerSecond: (1000 * batch) / cost.stepMs.median,
    relativeToBackprop: { time: 1, memory: 1, stepMemory: 1 },
  };
}

/** Name of the row of a method's steps that are not recorded. */
function ordinaryName(method: string): string {
  return `ordinary ${method}`;
}

/** Name of the row of a method's literal procedure. */
function literalName(method: string): string {
  return `literal ${method}`;
}

function relate(row: BenchRow, backprop: BenchRow, rows: readonly BenchRow[]): BenchRow {
  const find = (...names: string[]) => rows.find(({ method }) => names.includes(method));
  const literal = find(literalName(row.method));
  const ordinary = find(ordinaryName(row.method));
  const oneThread = find(oneThreadName(row.method));
  const pytorch = find(pytorchName(row.method, false), pytorchName(row.method, true));
  return {
    ...row,
    relativeToBackprop: ratios(row, backprop),
    ...(literal === undefined ? {} : { relativeToLiteral: ratios(row, literal) }),
    ...(ordinary === undefined ? {} : { relativeToOrdinary: ratios(row, ordinary) }),
    ...(oneThread === undefined ? {} : { relativeToOneThread: ratios(row, oneThread) }),
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
