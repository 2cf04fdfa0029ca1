import type { TrainingEvent } from '@localgrad/train';

/** Events of a run of two epochs with four steps each; an earlier process ran the steps before `from`. */
export function runEvents(from = 0): TrainingEvent[] {
  const losses = (step: number) => ({ module0: 2 / step, 'final, classifier': 1 / step });
  const epochs = [1, 2].flatMap((epoch): TrainingEvent[] => {
    const steps = [1, 2, 3, 4].map((index) => 4 * (epoch - 1) + index).filter((step) => step > from);
    if (steps.length === 0) return [];
    const test = { accuracy: 0.5 + epoch / 8, loss: 1 / epoch };
    return [
      ...(steps.length === 4 ? [{ type: 'epoch-start', epoch, epochs: 2 } as const] : []),
      ...steps.map((step): TrainingEvent => {
        const reading = step % 2 === 0 ? { losses: losses(step), terms: { 'module0/similarity': step / 16 } } : {};
        return { type: 'step-end', step, steps: 8, epoch, learningRate: 0.5 / epoch, ...reading };
      }),
      { type: 'evaluation-end', set: 'test', epoch, ...test, metrics: test, samples: 100, seconds: 0.5 },
      {
        type: 'epoch-end',
        epoch,
        epochs: 2,
        losses: losses(4 * epoch),
        learningRate: 0.5 / epoch,
        seconds: 2,
        imagesPerSecond: 128,
        peakBytes: 2 ** 21,
        testAccuracy: test.accuracy,
        testLoss: test.loss,
      },
    ];
  });
  return [
    {
      type: 'run-start',
      method: 'dgl',
      backbone: 'resnet14',
      modules: 2,
      backend: 'wasm',
      epochs: 2,
      stepsPerEpoch: 4,
      batchSize: 64,
      parameters: 12345,
      predictedPeakBytes: 2 ** 21,
      ...(from === 0 ? {} : { resumedAtStep: from }),
    },
    ...epochs,
    {
      type: 'run-end',
      status: 'completed',
      steps: 8,
      testAccuracy: 0.75,
      bestTestAccuracy: 0.75,
      seconds: 4,
      totalSeconds: 5,
      peakBytes: 2 ** 21,
      resumptions: from === 0 ? 0 : 1,
    },
  ];
}
