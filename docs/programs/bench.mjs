// Bench: time and peak memory of training steps, beside end-to-end training.
import { benchStep } from '@localgrad/bench';

const { rows } = await benchStep(
  {
    ...{ methods: ['dgl'], backbone: 'tiny', modules: 2, partition: 'even', memory: 'residuals' },
    ...{ batch: 8, image: [8, 8, 1], classes: 10, backend: 'cpu', threads: 'auto' },
    ...{ repeats: 2, warmup: 1, include: [] },
  },
  { stderr: process.stderr },
);
for (const { method, stepMs, peakBytes } of rows)
  console.log(method, `${stepMs.median.toFixed(1)} ms`, `${peakBytes} bytes`);
