import { selectBackend } from '@localgrad/backends';
import { take } from '@localgrad/data';
import type { Sweep } from '@localgrad/experiments';
import { areStreamed, loadData, prepareRun, type RunConfig, runConfigSchema } from '@localgrad/runs';
import { train } from '@localgrad/train';

const steps = 5;

/**
 * Runs a few steps of every condition and discards them, so that compiling code does not count as training time of the
 * first run.
 */
export async function warmUp({ conditions }: Pick<Sweep, 'conditions'>): Promise<void> {
  for (const condition of conditions) await warmUpRun(runConfigSchema.parse(condition.config));
}

async function warmUpRun(config: RunConfig): Promise<void> {
  const data = await loadData(config);
  if (areStreamed(data)) return;
  const few = take(data.train, Math.min(steps * config.batch, data.train.size), { by: 'first' });
  const backend = await selectBackend(config.backend, { threads: config.threads, relaxedSimd: config.relaxedSimd });
  try {
    const run = await prepareRun({ ...config, epochs: 1 }, { ...data, train: few, test: few });
    try {
      await train(run.options);
    } finally {
      run.dispose();
    }
  } finally {
    backend.dispose();
  }
}
