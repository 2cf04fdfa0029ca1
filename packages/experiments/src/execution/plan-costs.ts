import { clockAt } from '@localgrad/core';
import { type CompiledPlan, phaseWork } from '@localgrad/engine';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { buildPlan, describeRun, type RunConfig } from '@localgrad/runs';
import type { DataCache } from './data-cache.js';

/** What a run costs, as far as it follows from its config. */
export interface Costs {
  /** Of a step, on average over the run, as its summary records it. */
  readonly unitsOfWork: number;
  readonly predictedPeakBytes: number;
  /** Multiply-accumulates of a whole run. */
  readonly work: number;
}

/** Creates the network of a run with zeros as weights; the backend must be running. */
export async function costOf(config: RunConfig, data: DataCache): Promise<Costs> {
  const { train: images } = await data.of(config);
  const { epochs, batch } = config;
  const plan = await buildPlan(config, images, { zeros: true });
  try {
    const { totals } = describeRun(plan, config);
    const { compiled } = plan;
    const { blocks, classifier } = compiled.network.backbone;
    const forward = sum([...blocks.map(({ block }) => block), classifier].map(multiplyAccumulatesOf));
    const perImage = meanWork(compiled, epochs, Math.ceil(images.size / batch));
    return {
      unitsOfWork: perImage / forward,
      predictedPeakBytes: totals.predictedPeakBytes,
      work: perImage * images.size * epochs,
    };
  } finally {
    plan.dispose();
  }
}

/** Steps of a run whose phases are looked up. */
const mostSteps = 1000;

/** Multiply-accumulates of a step for one image, on average over the run: phases differ. */
function meanWork(compiled: CompiledPlan, epochs: number, stepsPerEpoch: number): number {
  const [only, another] = compiled.phases;
  if (another === undefined) return phaseWork(compiled, only);
  const steps = epochs * stepsPerEpoch;
  const count = Math.min(steps, mostSteps);
  const works = Array.from({ length: count }, (_, index) => {
    const clock = clockAt(Math.floor((index * steps) / count), epochs, stepsPerEpoch);
    return phaseWork(compiled, compiled.phaseAt(clock));
  });
  return sum(works) / count;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
