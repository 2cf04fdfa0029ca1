import { clockAt, LocalgradError } from '@localgrad/core';
import { crossingsOf, formatPlacement } from '@localgrad/pipeline';
import { simulateLocalPipeline } from '@localgrad/pipeline-simulator';
import { buildPlan, type PlacementBasis, resolveConfig, runPipeline } from '@localgrad/runs';
import { captureTensors, type WorkerStep } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import type { BenchPipelineOptions } from './bench-pipeline.js';
import { highest, spreadOf } from './measure.js';
import { optimizerOf } from './optimization.js';
import { randomBatch, randomTargets } from './stock-tape.js';

/** Steps that ran one after the other, or through a pipeline. */
export interface PipelineTurn {
  readonly stepsPerSecond: number;
  /** Of the process, or of the larger worker; null if it cannot be counted. */
  readonly peakBytes: number | null;
  /** Median step of each worker; empty for one process. */
  readonly workers: readonly Pick<WorkerStep, 'seconds' | 'waitSeconds'>[];
}

/** A pipeline whose workers wait between turns. */
export interface PipelineContestant {
  readonly workers: number;
  readonly placement: string;
  /** What the modules are divided by. */
  readonly basis: PlacementBasis;
  /** Runs steps; those that fill the pipeline are not timed. */
  run(steps: number): Promise<PipelineTurn>;
  /** Steps per second that the simulator predicts from measured computing times. */
  predict(turns: readonly PipelineTurn[]): number | null;
  close(): Promise<void>;
}

const learningRate = 0.01;

/** Starts the workers of a method, each with one thread. @throws LocalgradError */
export async function createPipelineContestant(
  method: string,
  workers: number,
  options: BenchPipelineOptions,
  signal?: AbortSignal,
): Promise<PipelineContestant> {
  const { accumulate = 1, batch, image, classes } = options;
  const {
    backbone,
    width,
    modules,
    partition,
    stemModule,
    memory,
    backend,
    relaxedSimd,
    optimizer: expression,
  } = options;
  const { delay, gradientDelay, gradientDelayCuts } = options;
  const config = resolveConfig({
    ...{ method, backbone, modules, partition, memory, batch, accumulate, workers, learningRate },
    ...{ backend, threads: 1, seed: 1 },
    ...(width === undefined ? {} : { width }),
    ...(stemModule === undefined ? {} : { stemModule }),
    ...(relaxedSimd === undefined ? {} : { relaxedSimd }),
    ...(expression === undefined ? {} : { optimizer: expression }),
    ...(delay === undefined ? {} : { delay }),
    ...(gradientDelay === undefined ? {} : { gradientDelay }),
    ...(gradientDelayCuts === undefined ? {} : { gradientDelayCuts }),
  });
  const images = { imageShape: image, classes };
  const { compiled, dispose } = await buildPlan(config, images);
  const optimizer = await optimizerOf(options);
  const random = randomBatch(batch, image, classes);
  const inputs = random.images;
  const targets = randomTargets(random, { reads: compiled.reads, classes });
  const divided = await runPipeline(config, {
    ...{ compiled, optimizer, images, names: {}, signal },
    withBatch: (use) => use({ images: inputs, targets }),
  });
  if (divided === undefined) throw new LocalgradError('invalid-option', 'A pipeline needs at least two workers.');
  const { pipeline, chosen } = divided;
  const tensors = await captureTensors(compiled, optimizer);
  await pipeline.start({ compiled, optimizer, batchSize: batch, accumulate, seed: 1, tensors });
  const starts = new Set(pipeline.placement.map(({ range }) => range[0]));
  const waits = crossingsOf(compiled).some(
    ({ cut, gradients, delay: late }) => starts.has(cut) && gradients.length > 0 && late === 0,
  );
  let done = 0;
  return {
    workers,
    placement: formatPlacement(pipeline.placement),
    basis: chosen.basis,
    async run(steps) {
      const measured: (readonly WorkerStep[])[] = [];
      const filling = pipeline.depth;
      let [start, pending] = [Number.NaN, 0];
      const next = async () => {
        const { workers: parts = [] } = await pipeline.next();
        pending--;
        measured.push(parts);
        if (measured.length === filling) start = performance.now();
      };
      for (let step = 0; step < filling + steps; step++) {
        const clock = clockAt(done++, 1, Number.MAX_SAFE_INTEGER);
        await pipeline.submit({ images: inputs, targets }, { clock, learningRate });
        pending++;
        if (pending === pipeline.depth) await next();
      }
      while (pending > 0) await next();
      const seconds = (performance.now() - start) / 1000;
      return { stepsPerSecond: steps / seconds, ...summaryOf(measured.slice(filling)) };
    },
    predict: (turns) => (waits ? null : predictedStepsPerSecond(turns)),
    async close() {
      await pipeline.stop();
      optimizer.dispose();
      inputs.dispose();
      tf.dispose(Object.values(targets));
      dispose();
    },
  };
}

function summaryOf(steps: readonly (readonly WorkerStep[])[]): Pick<PipelineTurn, 'peakBytes' | 'workers'> {
  const [first = []] = steps;
  const medianOf = (index: number, key: 'seconds' | 'waitSeconds') =>
    spreadOf(steps.map((parts) => parts[index]?.[key] ?? Number.NaN)).median;
  return {
    peakBytes: highest(steps.flat().map(({ peakBytes }) => peakBytes)),
    workers: first.map((_, index) => ({
      seconds: medianOf(index, 'seconds'),
      waitSeconds: medianOf(index, 'waitSeconds'),
    })),
  };
}

/** From the median computing time of each worker, without time for transport. */
export function predictedStepsPerSecond(turns: readonly PipelineTurn[]): number {
  const [first] = turns;
  const seconds = (first?.workers ?? []).map((_, index) => {
    return spreadOf(turns.map(({ workers }) => workers[index]?.seconds ?? Number.NaN)).median;
  });
  const none = { backwardSeconds: 0, updateSeconds: 0, headSeconds: 0, outputBytes: 0, residualBytes: 0 };
  const stages = seconds.map((forwardSeconds) => {
    return { ...none, forwardSeconds, weightBytes: 0, stateBytes: 0, headBytes: 0 };
  });
  const machines = { workers: stages.length, bandwidth: Number.POSITIVE_INFINITY, latency: 0 };
  return simulateLocalPipeline(stages, machines, { stages: stages.map(() => 1) }).batchesPerSecond;
}
