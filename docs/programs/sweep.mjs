// Plan and run a sweep, then write its report.
import { createExperiment, loadStudy, openSweep, planSweep, runSweep } from '@localgrad/experiments';
import { writeReport } from '@localgrad/report';

const experiment = await createExperiment({
  name: 'hosts',
  base: {
    ...{ method: '{host}', backbone: 'tiny', modules: 2, resize: 8, trainImages: 40, testImages: 20 },
    ...{ batch: 20, epochs: 1, backend: 'cpu' },
  },
  factors: { host: ['greedy', 'dgl'] },
  include: [{ name: 'end to end', method: 'backprop' }],
  seeds: 2,
  compare: { factor: 'host', baseline: 'greedy' },
  reference: 'end to end',
});

const plan = await planSweep({ experiment, measure: false });
console.log(`${plan.runs} runs, at most ${Math.max(...plan.rows.map((row) => row.predictedPeakBytes))} bytes`);

// 'debug' runs in this process; the default, 'local', starts one process for each core and replaces those that are killed.
const { counts, folder } = await runSweep({
  experiment,
  executor: process.env.LOCALGRAD_EXECUTOR ?? 'debug',
  onEvent: (event) => event.type === 'task-end' && console.log(`${event.outcome} ${event.name}`),
});
console.log(`${counts.finished} finished in ${folder}`);

const { html } = await writeReport(await loadStudy(await openSweep(folder)), 'report');
console.log(html);
