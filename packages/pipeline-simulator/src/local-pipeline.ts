import { type Forecast, forecastOf, usedWorkers } from './forecast.js';
import { checkSetting, type Machines, type ModuleCost } from './machines.js';
import { simulate, type Task } from './simulate.js';
import { balancedStages, type Stage, stagesOf, total } from './stages.js';

/** Options of a local pipeline. */
export interface LocalPipelineOptions {
  /** Batches that each machine can receive ahead of its computation. Default 2. */
  readonly slots?: number;
  /** Number of modules of each machine. Default: cut so that the longest stage is as short as possible. */
  readonly stages?: readonly number[];
}

const measuredBatches = 60;

const secondsOf = ({ forwardSeconds, backwardSeconds, updateSeconds, headSeconds }: ModuleCost) =>
  forwardSeconds + headSeconds + backwardSeconds + updateSeconds;

/**
 * Modules trained by local losses, on one machine after the other: only activations travel, and each machine trains on a batch
 * while the next one trains on the batch before.
 *
 * @throws RangeError for impossible costs, machines and stages
 */
export function simulateLocalPipeline(
  modules: readonly ModuleCost[],
  machines: Machines,
  { slots = 2, stages: counts }: LocalPipelineOptions = {},
): Forecast {
  checkSetting(modules, machines);
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError(`slots is ${slots}; allowed: integers ≥ 1.`);
  const stages =
    counts === undefined
      ? balancedStages(modules, usedWorkers(modules, machines), secondsOf)
      : stagesOf(modules, counts, machines);
  const last = stages.length - 1;
  // Queues fill up while the pipeline does: slots for each of its machines.
  const first = stages.length * (slots + 1);
  const batches = first + measuredBatches;
  const sentBy = (worker: number) => stages[worker]?.at(-1)?.outputBytes ?? 0;
  const tasks = stages.map((stage, worker) =>
    Array.from({ length: batches }, (_, batch): Task[] => {
      const input = worker === 0 ? [] : [{ task: sending(worker - 1, batch), bytes: sentBy(worker - 1) }];
      const training = { id: idOf(worker, batch), seconds: total(stage, secondsOf), needs: input };
      if (worker === last) return [training];
      // A full queue makes the sender wait until the receiver is done with a batch.
      const room = batch < slots ? [] : [{ task: idOf(worker + 1, batch - slots) }];
      return [training, { id: sending(worker, batch), seconds: 0, needs: room }];
    }).flat(),
  );
  const { ends, sentBytes } = simulate(tasks, machines);
  const end = (batch: number) => ends.get(idOf(last, batch)) ?? 0;
  return forecastOf(
    {
      strategy: 'localPipeline',
      stages,
      batchesPerSecond: measuredBatches / (end(batches - 1) - end(first - 1)),
      sentBytes: sentBytes / batches,
      memoryBytes: stages.map((stage, worker) => memoryOf(stage) + (worker === 0 ? 0 : slots * sentBy(worker - 1))),
    },
    (stage) => total(stage, secondsOf),
  );
}

const idOf = (worker: number, batch: number) => `${worker}/${batch}`;
const sending = (worker: number, batch: number) => `${idOf(worker, batch)} sent`;

/** Modules are trained one after the other, so that residuals and gradients of one are stored at a time. */
function memoryOf(stage: Stage): number {
  const resident = total(stage, ({ weightBytes, stateBytes, headBytes }) => weightBytes + stateBytes + headBytes);
  return resident + Math.max(...stage.map(({ residualBytes, weightBytes }) => residualBytes + weightBytes));
}
