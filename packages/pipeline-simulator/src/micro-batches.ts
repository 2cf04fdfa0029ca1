import { endToEndBytes, endToEndSeconds, type Forecast, forecastOf, usedWorkers } from './forecast.js';
import { checkSetting, type Machines, type ModuleCost } from './machines.js';
import { type Need, simulate, type Task } from './simulate.js';
import { balancedStages, type Stage, total } from './stages.js';

/** Options of pipelines over micro-batches. */
export interface MicroBatchOptions {
  /** Micro-batches per batch. Default 8. */
  readonly microBatches?: number;
}

/** Steps that are simulated: the first has no step before it. */
const steps = 3;

/** Forward or backward pass of one micro-batch. */
interface Half {
  readonly kind: 'forward' | 'backward';
  readonly micro: number;
}

/**
 * GPipe: end-to-end training in stages; all micro-batches run forward, then all run backward in reverse order, then weights are
 * updated. The result is that of an ordinary step, except for batch normalization.
 *
 * @throws RangeError for impossible costs and machines
 */
export function simulateGpipe(
  modules: readonly ModuleCost[],
  machines: Machines,
  options: MicroBatchOptions = {},
): Forecast {
  return simulateStages('gpipe', modules, machines, options, (_stage, _stages, micros) => ({
    order: [
      ...micros.map((micro): Half => ({ kind: 'forward', micro })),
      ...micros.toReversed().map((micro): Half => ({ kind: 'backward', micro })),
    ],
    stored: micros.length,
  }));
}

/**
 * 1F1B (PipeDream with a flush): as GPipe, but each stage alternates between a forward and a backward pass as soon as it can, so
 * that it stores activations of fewer micro-batches.
 *
 * @throws RangeError for impossible costs and machines
 */
export function simulateOneForwardOneBackward(
  modules: readonly ModuleCost[],
  machines: Machines,
  options: MicroBatchOptions = {},
): Forecast {
  return simulateStages('oneForwardOneBackward', modules, machines, options, (stage, stages, micros) => {
    const ahead = Math.min(stages - stage - 1, micros.length);
    const forward = (micro: number): Half => ({ kind: 'forward', micro });
    const backward = (micro: number): Half => ({ kind: 'backward', micro });
    return {
      order: [
        ...micros.slice(0, ahead).map(forward),
        ...micros.slice(ahead).flatMap((micro) => [forward(micro), backward(micro - ahead)]),
        ...micros.slice(micros.length - ahead).map(backward),
      ],
      stored: Math.min(ahead + 1, micros.length),
    };
  });
}

/** Order of a stage's passes in a step, and the number of micro-batches whose activations it stores. */
type Plan = (
  stage: number,
  stages: number,
  micros: readonly number[],
) => { readonly order: readonly Half[]; readonly stored: number };

function simulateStages(
  strategy: 'gpipe' | 'oneForwardOneBackward',
  modules: readonly ModuleCost[],
  machines: Machines,
  { microBatches = 8 }: MicroBatchOptions,
  planOf: Plan,
): Forecast {
  checkSetting(modules, machines);
  if (!Number.isInteger(microBatches) || microBatches < 1) {
    throw new RangeError(`microBatches is ${microBatches}; allowed: integers ≥ 1.`);
  }
  const stages = balancedStages(modules, usedWorkers(modules, machines), endToEndSeconds);
  const micros = [...Array(microBatches).keys()];
  const plans = stages.map((_, stage) => planOf(stage, stages.length, micros));
  const tasks = stages.map((stage, worker) =>
    Array.from({ length: steps }, (_, step) => [
      ...(plans[worker]?.order ?? []).map((half) => taskOf(half, { step, worker, stages, microBatches })),
      { id: updateOf(worker, step), seconds: total(stage, ({ updateSeconds }) => updateSeconds), needs: [] },
    ]).flat(),
  );
  const { ends, sentBytes } = simulate(tasks, machines);
  const end = (step: number) => Math.max(...stages.map((_, worker) => ends.get(updateOf(worker, step)) ?? 0));
  return forecastOf(
    {
      strategy,
      stages,
      batchesPerSecond: 1 / (end(steps - 1) - end(steps - 2)),
      sentBytes: sentBytes / steps,
      memoryBytes: stages.map((stage, worker) => {
        const stored = (plans[worker]?.stored ?? 0) / microBatches;
        return endToEndBytes(stage) + stored * total(stage, ({ residualBytes }) => residualBytes);
      }),
    },
    (stage) => total(stage, endToEndSeconds),
  );
}

interface Place {
  readonly step: number;
  readonly worker: number;
  readonly stages: readonly Stage[];
  readonly microBatches: number;
}

function taskOf({ kind, micro }: Half, { step, worker, stages, microBatches }: Place): Task {
  const idAt = (of: Half['kind'], stage: number) => `${of} ${stage} ${step} ${micro}`;
  const outputBytes = (stage: number) => (stages[stage]?.at(-1)?.outputBytes ?? 0) / microBatches;
  const isForward = kind === 'forward';
  const seconds = total(stages[worker] ?? [], ({ forwardSeconds, backwardSeconds }) =>
    isForward ? forwardSeconds : backwardSeconds,
  );
  const needs: Need[] = [];
  if (isForward && worker > 0) needs.push({ task: idAt(kind, worker - 1), bytes: outputBytes(worker - 1) });
  if (!isForward && worker < stages.length - 1) {
    // The gradient of an output is as large as the output.
    needs.push({ task: idAt(kind, worker + 1), bytes: outputBytes(worker) });
  }
  return { id: idAt(kind, worker), seconds: seconds / microBatches, needs };
}

const updateOf = (worker: number, step: number) => `update ${worker} ${step}`;
