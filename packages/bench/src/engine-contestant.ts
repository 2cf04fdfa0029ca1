import type { BackendHandle } from '@localgrad/backends';
import { at, isEndToEnd, startOfTraining } from '@localgrad/core';
import {
  type CompiledPhase,
  type CompiledPlan,
  createLiteralExecutor,
  createTrainStep,
  trainedUpTo,
} from '@localgrad/engine';
import { MemoryMeter } from '@localgrad/kernels';
import { buildPlan, checkAccumulation } from '@localgrad/runs';
import { checkMemory } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { usesRelaxedSimd } from './measured-backend.js';
import { optimizerOf } from './optimization.js';
import type { Contestant, MeasuredNetwork, StepMeasurement } from './options.js';
import { costOfPlan, inPhase, type MeasuredPhases, type PlanCost } from './phase-steps.js';
import { randomBatch, randomTargets } from './stock-tape.js';

/** How a step runs, and the name of its row. */
export interface StepProcedure {
  readonly name: string;
  /** Whether steps follow the procedure of reference code. Default: the engine's executor. */
  readonly isLiteral?: boolean;
  /** Whether steps are recorded where the backend can. Default true. */
  readonly recordSteps?: boolean;
}

/** A method's step in this process, on localgrad's engine unless another procedure is given. */
export async function engineContestant(
  method: string,
  options: MeasuredNetwork,
  backend: BackendHandle,
  { name, isLiteral = false, recordSteps = true }: StepProcedure = { name: method },
): Promise<Contestant> {
  const { accumulate = 1, batch, image, classes } = options;
  checkAccumulation({ accumulate, batch });
  const optimizer = await optimizerOf(options);
  const { compiled, dispose } = await buildPlan({ ...options, method, seed: 1 }, { imageShape: image, classes });
  const executor = isLiteral ? { executor: createLiteralExecutor } : {};
  const cost = costOfPlan(compiled, { batch, optimizer, accumulate, isLiteral });
  const steps = compiled.phases.map((phase) => {
    const plan = inPhase(compiled, phase);
    return { phase, trainStep: createTrainStep({ compiled: plan, optimizer, accumulate, recordSteps, ...executor }) };
  });
  try {
    const predict = (size: number) => compiled.predict(size, { optimizer, accumulate });
    checkMemory(compiled, batch, backend.availableBytes(), predict);
  } catch (error) {
    dispose();
    throw error;
  }
  const random = randomBatch(batch, image, classes);
  const { images } = random;
  const targets = randomTargets(random, { reads: compiled.reads, classes });
  const restingBytes = (phase: CompiledPhase) => {
    // In training, weights of later phases have no optimizer state yet.
    const trained = trainedUpTo(compiled, phase);
    const names = new Set([...(trained ?? compiled.parameters.values())].map(({ name }) => name));
    const state = [...optimizer.state()].filter(([name]) => names.has(name.slice(name.indexOf('/') + 1)));
    const kept: readonly tf.Tensor[] = [
      ...[...compiled.parameters.values()].map(({ value }) => value),
      ...state.map(([, value]) => value),
      images,
      ...Object.values(targets),
    ];
    return kept.reduce((sum, { size }) => sum + 4 * size, 0);
  };
  const stepIn = async (phase: CompiledPhase): Promise<CountedStep> => {
    const { trainStep } = at(steps, compiled.phases.indexOf(phase), 'phase');
    const resting = restingBytes(phase);
    const meter = new MemoryMeter({ countsOlder: true });
    const start = performance.now();
    const { losses, terms } = trainStep.run({ images, targets }, startOfTraining);
    // A step has ended when its last loss can be read.
    await [...losses.values()].at(-1)?.data();
    const milliseconds = performance.now() - start;
    meter.detach();
    for (const scalar of [...losses.values(), ...terms.values()]) scalar.dispose();
    const { recording } = trainStep;
    const stepBytes = meter.peakBytes + (recording?.mode === 'recorded' ? recording.arenaBytes : 0);
    return { milliseconds, peakBytes: resting + stepBytes, stepBytes };
  };
  // Late in training, the optimizer has state for the weights of all phases.
  let untouched = compiled.phases.length > 1 ? [...compiled.phases] : [];
  return {
    name,
    modules: compiled.network.modules.length,
    isEndToEnd: isEndToEnd(compiled.objectives, compiled.network.modules.length),
    backend: backend.name,
    relaxedSimd: usesRelaxedSimd(backend),
    details: { threads: backend.threads, device: backend.device },
    predicted: cost.predicted,
    ...(compiled.plan.phases === undefined ? {} : { phases: namesOf(compiled, cost) }),
    async step() {
      for (const phase of untouched) await stepIn(phase);
      untouched = [];
      const timed = await stepIn(cost.slowest);
      if (cost.largest === cost.slowest) return timed;
      const { peakBytes, stepBytes } = await stepIn(cost.largest);
      const highest = peakBytes > timed.peakBytes ? { peakBytes, stepBytes } : {};
      return { ...timed, ...highest };
    },
    async close() {
      for (const { trainStep } of steps) trainStep.dispose();
      optimizer.dispose();
      images.dispose();
      tf.dispose(Object.values(targets));
      dispose();
    },
  };
}

/** A step whose bytes are counted. */
interface CountedStep extends StepMeasurement {
  readonly peakBytes: number;
  readonly stepBytes: number;
}

function namesOf({ phases }: CompiledPlan, { slowest, largest }: PlanCost): MeasuredPhases {
  return { time: slowest.name, memory: largest.name, count: phases.length };
}
