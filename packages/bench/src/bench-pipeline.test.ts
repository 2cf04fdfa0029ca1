import { describe, expect, it } from 'vitest';
import { type BenchPipelineOptions, balanceOf } from './bench-pipeline.js';
import { withoutDelays } from './independent-processes.js';
import { type PipelineTurn, predictedStepsPerSecond } from './pipeline-contestant.js';

const turn = (...workers: (readonly [seconds: number, waitSeconds: number])[]): PipelineTurn => ({
  stepsPerSecond: 1,
  peakBytes: null,
  workers: workers.map(([seconds, waitSeconds]) => ({ seconds, waitSeconds })),
});

describe('bench pipeline', () => {
  it('reports the imbalance, and the waiting of the slowest worker, as medians of the turns', () => {
    const turns = [turn([3, 1], [1, 3]), turn([3, 1], [1, 3]), turn([9, 0], [1, 8])];
    expect(balanceOf(turns)).toEqual({ imbalance: 1.5, waitingShare: 0.25 });
    expect(balanceOf([turn()])).toEqual({ imbalance: null, waitingShare: null });
  });

  it("predicts the pace of the slowest worker from the workers' computing times", () => {
    expect(predictedStepsPerSecond([turn([0.2, 0], [0.1, 0.1], [0.05, 0.1])])).toBeCloseTo(5);
  });

  it('compares with a process that has no delays, and so computes every gradient', () => {
    const rest = { backbone: 'resnet8', modules: 2 } as BenchPipelineOptions;
    const late = { ...rest, delay: 2, gradientDelay: 1, gradientDelayCuts: '1' };
    expect(withoutDelays(late)).toEqual({ ...rest, delay: 0, gradientDelay: 0 });
  });
});
