import { endToEndBytes, endToEndSeconds, type Forecast, forecastOf } from './forecast.js';
import { checkSetting, type Machines, type ModuleCost } from './machines.js';
import { simulate, type Task } from './simulate.js';
import { total } from './stages.js';

/** Steps that are simulated: the first may begin faster than the others. */
const steps = 3;

/**
 * End-to-end training of the whole network on every machine, each with its part of the batch. Gradients are summed by a ring,
 * module by module while the backward pass still runs; ideal otherwise: a part of the batch takes its part of the time.
 *
 * @throws RangeError for impossible costs and machines
 */
export function simulateDataParallel(modules: readonly ModuleCost[], machines: Machines): Forecast {
  checkSetting(modules, machines);
  const { workers, bandwidth, latency } = machines;
  const ringSeconds = (bytes: number) =>
    workers === 1 ? 0 : 2 * (workers - 1) * (bytes / workers / bandwidth + latency);
  // All machines do the same at the same time: one of them, and its connection, stand for all.
  const machine: Task[] = [];
  const connection: Task[] = [];
  for (let step = 0; step < steps; step++) {
    const forward = total(modules, ({ forwardSeconds }) => forwardSeconds) / workers;
    machine.push({ id: `forward ${step}`, seconds: forward, needs: [] });
    [...modules.entries()].reverse().forEach(([index, { backwardSeconds, weightBytes }]) => {
      const backward = `backward ${step} ${index}`;
      machine.push({ id: backward, seconds: backwardSeconds / workers, needs: [] });
      connection.push({
        id: `sum ${step} ${index}`,
        seconds: ringSeconds(weightBytes),
        needs: [{ task: backward }],
      });
    });
    const update = total(modules, ({ updateSeconds }) => updateSeconds);
    machine.push({ id: `update ${step}`, seconds: update, needs: [{ task: `sum ${step} 0` }] });
  }
  const { ends } = simulate([machine, connection], machines);
  const end = (step: number) => ends.get(`update ${step}`) ?? 0;
  const weights = total(modules, ({ weightBytes }) => weightBytes);
  const residuals = total(modules, ({ residualBytes }) => residualBytes) / workers;
  const stages = Array.from({ length: workers }, () => modules);
  return forecastOf(
    {
      strategy: 'dataParallel',
      stages,
      batchesPerSecond: 1 / (end(steps - 1) - end(steps - 2)),
      sentBytes: 2 * (workers - 1) * weights,
      memoryBytes: stages.map((stage) => endToEndBytes(stage) + residuals),
    },
    (stage) => {
      const update = total(stage, ({ updateSeconds }) => updateSeconds);
      return (total(stage, endToEndSeconds) - update) / workers + update;
    },
  );
}
