import { describe, expect, it } from 'vitest';
import type { TrainingEvent } from '../events.js';
import { consoleProgress, formatSeconds } from './console-progress.js';
import { metricsWriter } from './metrics-writer.js';

const run: TrainingEvent[] = [
  {
    type: 'run-start',
    method: 'dgl',
    backbone: 'resnet14',
    modules: 7,
    backend: 'wasm',
    epochs: 1,
    stepsPerEpoch: 4,
    batchSize: 64,
    parameters: 12345,
    predictedPeakBytes: 2 ** 21,
  },
  { type: 'epoch-start', epoch: 1, epochs: 1 },
  { type: 'step-end', step: 1, steps: 4, epoch: 1, learningRate: 0.1 },
  { type: 'step-end', step: 2, steps: 4, epoch: 1, learningRate: 0.1, losses: { module0: 2, final: 1.5 } },
  {
    type: 'evaluation-end',
    set: 'test',
    epoch: 1,
    accuracy: 0.75,
    loss: 0.8,
    metrics: { loss: 0.8, accuracy: 0.75 },
    samples: 100,
    seconds: 0.5,
  },
  {
    type: 'epoch-end',
    epoch: 1,
    epochs: 1,
    losses: { module0: 2, final: 1.5 },
    learningRate: 0.1,
    seconds: 2,
    imagesPerSecond: 128,
    peakBytes: 2 ** 21,
    testAccuracy: 0.75,
    testLoss: 0.8,
  },
  {
    type: 'run-end',
    status: 'completed',
    steps: 4,
    testAccuracy: 0.75,
    bestTestAccuracy: 0.75,
    seconds: 2,
    totalSeconds: 3,
    peakBytes: 2 ** 21,
    resumptions: 0,
  },
];

function recorder(options: { isTTY?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  return { ...options, written, write: (text: string) => written.push(text) };
}

describe('consoleProgress', () => {
  it('writes one plain line per stage if the stream is not a terminal', () => {
    const stream = recorder();
    const observer = consoleProgress(stream, { label: 'dgl' });
    for (const event of run) observer.observe(event);
    expect(stream.written.join('')).toBe(
      'dgl  dgl on resnet14, 7 modules, 12,345 weights: 1 × 4 steps of 64, wasm, predicted peak 2.0 MiB\n' +
        'dgl  epoch 1/1  loss 1.500  test accuracy 75.0 %  test loss 0.800  128 images/s  peak 2.0 MiB\n' +
        'dgl  done: test accuracy 75.0 %, peak 2.0 MiB, 2.0 s of training\n',
    );
  });

  it('draws a bar with the remaining time on a terminal, within its width', () => {
    const stream = recorder({ isTTY: true, columns: 60 });
    let clock = 0;
    const observer = consoleProgress(stream, { now: () => (clock += 1000), interval: 0 });
    for (const event of run) observer.observe(event);
    const bars = stream.written.filter((text) => text.includes('left'));
    expect(bars).toHaveLength(2);
    expect(bars[1]).toContain('50.0 %  step 2/4  loss 1.500');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's erase sequence
    for (const text of bars) expect(text.replace(/\r|\u001b\[2K/g, '').length).toBeLessThanOrEqual(60);
  });
});

describe('metricsWriter', () => {
  it('writes one JSON object per line for each event, omitting steps without losses', () => {
    const lines: string[] = [];
    const observer = metricsWriter((line) => lines.push(line));
    for (const event of run) observer.observe(event);
    const records = lines.map((line) => JSON.parse(line) as { type: string; time: number });
    expect(records.map(({ type }) => type)).toEqual([
      'run-start',
      'epoch-start',
      'step-end',
      'evaluation-end',
      'epoch-end',
      'run-end',
    ]);
    expect(records[2]).toMatchObject({ step: 2, losses: { module0: 2, final: 1.5 } });
    expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
  });
});

describe('formatSeconds', () => {
  it.each([
    [1.23, '1.2 s'],
    [59.4, '59 s'],
    [125, '2 min 05 s'],
    [4200, '1 h 10 min'],
  ])('%f is %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
});
