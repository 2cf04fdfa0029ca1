import type { BenchPipelineOptions } from './bench-pipeline.js';
import { highest } from './measure.js';
import type { Contestant } from './options.js';
import type { PipelineTurn } from './pipeline-contestant.js';
import { startProcess } from './process-contestant.js';

/** Processes that train copies of the whole network at the same time, and exchange nothing. */
export interface IndependentProcesses {
  readonly count: number;
  readonly modules: number;
  /** Threads of each process. */
  readonly threads: number;
  /** Runs steps in every process; the pace is that of all processes together, the memory that of one. */
  run(steps: number): Promise<PipelineTurn>;
  close(): Promise<void>;
}

/** Starts processes, each with the threads of `options`. @throws LocalgradError `backend-unavailable` */
export async function startIndependentProcesses(
  method: string,
  count: number,
  options: BenchPipelineOptions,
): Promise<IndependentProcesses> {
  const request = { kind: 'method', method, options: withoutDelays(options) } as const;
  const processes: Contestant[] = [];
  const close = async () => {
    await Promise.all(processes.map((process) => process.close()));
  };
  try {
    while (processes.length < count) processes.push(await startProcess(method, request));
  } catch (error) {
    await close();
    throw error;
  }
  const [first] = processes;
  return {
    count,
    modules: first?.modules ?? 0,
    threads: Number(first?.details.threads),
    async run(steps) {
      const turns = await Promise.all(processes.map((process) => turnOf(process, steps)));
      return {
        stepsPerSecond: turns.reduce((sum, { stepsPerSecond }) => sum + stepsPerSecond, 0),
        peakBytes: highest(turns.map(({ peakBytes }) => peakBytes)),
        workers: [],
      };
    },
    close,
  };
}

/** The options of a process that trains alone: it waits for nothing, so nothing is late. */
export function withoutDelays({ gradientDelayCuts: _, ...options }: BenchPipelineOptions): BenchPipelineOptions {
  return { ...options, delay: 0, gradientDelay: 0 };
}

async function turnOf(process: Contestant, steps: number): Promise<PipelineTurn> {
  let milliseconds = 0;
  let peakBytes: number | null = null;
  for (let step = 0; step < steps; step++) {
    const measured = await process.step();
    milliseconds += measured.milliseconds;
    peakBytes = highest([peakBytes, measured.peakBytes]);
  }
  return { stepsPerSecond: (1000 * steps) / milliseconds, peakBytes, workers: [] };
}
