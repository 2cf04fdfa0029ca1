import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isFolderPath } from '@localgrad/image-data';
import { evaluateRun, explain, type RunConfig, runConfigSchema } from '@localgrad/runs';
import { train, trainOrRefuse, trainPart } from './train.js';

/** What the run did; `refused`: the reason is an error that names what is allowed. */
export type RunOutcome = 'refused' | 'trained' | 'diverged';

/**
 * Trains one config and checks what holds for all of them: it ends with a summary or a LocalgradError; on wasm, the predicted peak is
 * the measured one or an upper bound, and the one that `explain` predicts; evaluation of the last checkpoint gives the recorded metrics;
 * and the run ends with the same weights if it is interrupted after a share of its steps and resumed, and with the other value of
 * settings that cost only time or memory.
 *
 * @param interruption in [0, 1)
 * @throws Error that says what does not hold
 */
export async function checkRun(
  input: Readonly<Record<string, unknown>>,
  interruption: number,
  parent: string,
): Promise<RunOutcome> {
  const folders = ['run', 'interrupted', 'changed'].map((name) => join(parent, name));
  const [folder, interrupted, changed] = folders as [string, string, string];
  try {
    const config = runConfigSchema.parse({ threads: 2, ...input });
    const trained = await trainOrRefuse(config, folder);
    if (trained === 'refused') return trained;
    const { summary, steps } = trained;
    if (summary.status !== 'finished') return 'diverged';
    // Other kernels have temporaries of their own, and `explain` predicts for those of wasm (docs/memory.md).
    if (config.backend === 'wasm') {
      checkPeak(summary.cost.predictedPeakBytes, summary.peakBytes);
      const [height, width] = [config.resize ?? 28].flat();
      // Folders contain color images with label maps of three classes; the data set with a name is Fashion-MNIST.
      const [channels, classes] = isFolderPath(config.dataset) ? [3, 3] : [1, 10];
      const image = [height ?? 28, width ?? height ?? 28, channels] as const;
      const { totals } = await explain({ ...config, image, classes });
      expectSame('Peak that explain predicts', totals.predictedPeakBytes, summary.cost.predictedPeakBytes);
    }
    const evaluation = await evaluateRun({ folder, checkpoint: 'last' });
    const recorded = summary.epochs.at(-1)?.testMetrics ?? {};
    for (const [name, value] of Object.entries(recorded))
      expectSame(`Evaluated ${name}`, evaluation.metrics[name], value);
    const until = await trainPart(interruption, steps, config, interrupted);
    const resumed = await train(config, interrupted);
    expectSame(
      `Weights after an interruption at ${until} of ${steps} steps`,
      resumed.summary.weights?.sha256,
      summary.weights?.sha256,
    );
    for (const change of changesWithSameResult(config)) {
      const { summary: same } = await train({ ...config, ...change }, changed);
      expectSame(`Weights with ${JSON.stringify(change)}`, same.weights?.sha256, summary.weights?.sha256);
      rmSync(changed, { recursive: true });
    }
    return 'trained';
  } finally {
    for (const path of folders) rmSync(path, { recursive: true, force: true });
  }
}

function changesWithSameResult({
  backend,
  memory,
  memoryBudget,
  recordSteps,
}: RunConfig): readonly Partial<RunConfig>[] {
  return [
    ...(memoryBudget === undefined ? [{ memory: memory === 'recompute' ? 'residuals' : 'recompute' } as const] : []),
    ...(backend === 'webgpu' ? [{ recordSteps: !recordSteps }] : []),
  ];
}

function expectSame(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${found} instead of ${expected}.`);
}

function checkPeak(predicted: number, measured: number): void {
  const ratio = predicted / measured;
  if (!(ratio > 0.998)) throw new Error(`Predicted peak: ${predicted} bytes, ${ratio.toFixed(3)} × the measured one.`);
}
