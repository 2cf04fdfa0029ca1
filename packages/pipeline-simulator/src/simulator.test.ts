import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareStrategies,
  type Machines,
  type ModuleCost,
  simulateDataParallel,
  simulateGpipe,
  simulateLocalPipeline,
  simulateOneForwardOneBackward,
} from './index.js';
import { simulate } from './simulate.js';
import { balancedStages } from './stages.js';

const module: ModuleCost = {
  forwardSeconds: 1,
  backwardSeconds: 2,
  updateSeconds: 0,
  headSeconds: 0,
  outputBytes: 0,
  residualBytes: 100,
  weightBytes: 10,
  stateBytes: 10,
  headBytes: 5,
};
const equal = (count: number, more: Partial<ModuleCost> = {}) =>
  Array.from({ length: count }, () => ({ ...module, ...more }));
const free = (workers: number): Machines => ({ workers, bandwidth: Number.POSITIVE_INFINITY, latency: 0 });

const seconds = fc.double({ min: 0.01, max: 3, noNaN: true });
const bytes = fc.double({ min: 0, max: 50, noNaN: true });
const anyModules = fc.array(
  fc.record({
    forwardSeconds: seconds,
    backwardSeconds: seconds,
    updateSeconds: seconds,
    headSeconds: seconds,
    outputBytes: bytes,
    residualBytes: bytes,
    weightBytes: bytes,
    stateBytes: bytes,
    headBytes: bytes,
  }),
  { minLength: 1, maxLength: 6 },
);
const anyMachines = fc.record({
  workers: fc.integer({ min: 1, max: 6 }),
  bandwidth: fc.double({ min: 1, max: 1000, noNaN: true }),
  latency: fc.double({ min: 0, max: 1, noNaN: true }),
});
const anyOptions = fc.record({ slots: fc.integer({ min: 1, max: 4 }), microBatches: fc.integer({ min: 1, max: 9 }) });
const slack = 1 + 1e-9;

describe('all strategies', () => {
  it('train at most as many batches as the slowest machine can, and no machine computes all the time and more', () => {
    fc.assert(
      fc.property(anyModules, anyMachines, anyOptions, (modules, machines, options) => {
        for (const { batchesPerSecond, slowest, utilization } of compareStrategies(modules, machines, options)) {
          expect(batchesPerSecond).toBeGreaterThan(0);
          expect(batchesPerSecond).toBeLessThanOrEqual(slack / slowest.seconds);
          for (const share of utilization) expect(share).toBeLessThanOrEqual(slack);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are not slower with more bandwidth or less latency, and store and send the same', () => {
    fc.assert(
      fc.property(anyModules, anyMachines, anyOptions, (modules, machines, options) => {
        const before = compareStrategies(modules, machines, options);
        for (const better of [
          { ...machines, bandwidth: 3 * machines.bandwidth },
          { ...machines, latency: machines.latency / 3 },
        ]) {
          compareStrategies(modules, better, options).forEach((after, index) => {
            expect(after.batchesPerSecond * slack).toBeGreaterThanOrEqual(before[index]?.batchesPerSecond ?? 0);
            expect(after.memoryBytes).toEqual(before[index]?.memoryBytes);
            expect(after.sentBytes).toBeCloseTo(before[index]?.sentBytes ?? 0, 6);
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  it('take the time of all modules on one machine, and send nothing', () => {
    fc.assert(
      fc.property(anyModules, anyOptions, (modules, options) => {
        const sum = (withHeads: boolean) =>
          modules.reduce(
            (total, one) =>
              total + one.forwardSeconds + one.backwardSeconds + one.updateSeconds + (withHeads ? one.headSeconds : 0),
            0,
          );
        for (const forecast of compareStrategies(modules, { workers: 1, bandwidth: 1, latency: 1 }, options)) {
          const expected = 1 / sum(forecast.strategy === 'localPipeline');
          expect(forecast.batchesPerSecond / expected).toBeCloseTo(1, 8);
          expect(forecast.sentBytes).toBe(0);
        }
      }),
    );
  });

  it('reject impossible values by name', () => {
    const good = { workers: 2, bandwidth: 1, latency: 0 };
    expect(() => compareStrategies([], good)).toThrow('at least one module');
    expect(() => compareStrategies(equal(2), { ...good, workers: 0 })).toThrow('workers is 0');
    expect(() => compareStrategies(equal(2), { ...good, bandwidth: 0 })).toThrow('bandwidth is 0');
    expect(() => compareStrategies(equal(2, { outputBytes: -1 }), good)).toThrow('outputBytes of module 0 is -1');
    expect(() => compareStrategies(equal(2), good, { slots: 0 })).toThrow('slots is 0');
    expect(() => compareStrategies(equal(2), good, { microBatches: 1.5 })).toThrow('microBatches is 1.5');
  });
});

describe('simulateLocalPipeline', () => {
  it('runs at the pace of the slowest stage or connection', () => {
    fc.assert(
      fc.property(anyModules, anyMachines, (modules, machines) => {
        const { batchesPerSecond, slowest, modules: counts } = simulateLocalPipeline(modules, machines, { slots: 60 });
        const ends = counts.map((_, stage) => counts.slice(0, stage + 1).reduce((sum, count) => sum + count, 0));
        const sent = ends.slice(0, -1).map((end) => modules[end - 1]?.outputBytes ?? 0);
        const slowestLink = Math.max(0, ...sent) / machines.bandwidth;
        expect(batchesPerSecond * Math.max(slowest.seconds, slowestLink)).toBeCloseTo(1, 6);
      }),
      { numRuns: 40 },
    );
  });

  it('does not wait for the latency of connections', () => {
    const setting = { workers: 4, bandwidth: 1e9, latency: 2 };
    expect(simulateLocalPipeline(equal(4), setting, { slots: 4 }).batchesPerSecond).toBeCloseTo(1 / 3, 9);
  });

  it('is as fast as its machines together with equal modules, while GPipe has bubbles', () => {
    const local = simulateLocalPipeline(equal(8), free(8));
    const gpipe = simulateGpipe(equal(8), free(8), { microBatches: 8 });
    expect(local.batchesPerSecond).toBeCloseTo(1 / 3, 9);
    expect(local.utilization.every((share) => Math.abs(share - 1) < 1e-9)).toBe(true);
    expect(gpipe.batchesPerSecond / local.batchesPerSecond).toBeCloseTo(8 / 15, 9);
  });

  it('simulates a hundred machines and more', () => {
    const { workers, batchesPerSecond } = simulateLocalPipeline(equal(150, { outputBytes: 1 }), {
      workers: 150,
      bandwidth: 10,
      latency: 0.1,
    });
    expect(workers).toBe(150);
    expect(batchesPerSecond).toBeCloseTo(1 / 3, 6);
  });
});

describe('simulateDataParallel', () => {
  it('divides the computation, and adds what the ring needs longer than the backward pass', () => {
    // A ring of 4 machines sends 2 · 3 / 4 of the gradients, in 6 messages.
    const setting = { workers: 4, bandwidth: 5, latency: 0.5 };
    const [one] = equal(1);
    if (one === undefined) throw new Error('no module');
    const { batchesPerSecond, sentBytes } = simulateDataParallel([one], setting);
    expect(1 / batchesPerSecond).toBeCloseTo(3 / 4 + (6 / 4) * (10 / 5) + 6 * 0.5, 9);
    expect(sentBytes).toBe(2 * 3 * 10);
  });

  it('hides the ring behind the backward passes of earlier modules', () => {
    const modules = [{ ...module, weightBytes: 0 }, module];
    const { batchesPerSecond } = simulateDataParallel(modules, { workers: 2, bandwidth: 100, latency: 0 });
    expect(1 / batchesPerSecond).toBeCloseTo(3, 9);
  });
});

describe('pipelines over micro-batches', () => {
  it('have the bubble of the closed form, (n − 1) / (m + n − 1) of the time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 9 }), (stages, microBatches) => {
        for (const of of [simulateGpipe, simulateOneForwardOneBackward]) {
          const { batchesPerSecond, utilization } = of(equal(stages), free(stages), { microBatches });
          expect(1 / batchesPerSecond).toBeCloseTo((3 * (microBatches + stages - 1)) / microBatches, 8);
          const bubble = (stages - 1) / (microBatches + stages - 1);
          for (const share of utilization) expect(share).toBeCloseTo(1 - bubble, 8);
        }
      }),
    );
  });

  it('store activations of all micro-batches with GPipe, and of at most one per later stage with 1F1B', () => {
    const options = { microBatches: 8 };
    const resident = 3 * 10;
    expect(simulateGpipe(equal(4), free(4), options).memoryBytes).toEqual([130, 130, 130, 130]);
    expect(simulateOneForwardOneBackward(equal(4), free(4), options).memoryBytes).toEqual(
      [4, 3, 2, 1].map((stored) => resident + (stored / 8) * 100),
    );
  });

  it('send every output forward, and its gradient back', () => {
    const { sentBytes } = simulateGpipe(equal(3, { outputBytes: 7 }), { workers: 3, bandwidth: 1, latency: 0 });
    expect(sentBytes).toBeCloseTo(2 * 2 * 7, 9);
  });
});

describe('balancedStages', () => {
  it('finds the cut whose longest group is shortest', () => {
    fc.assert(
      fc.property(
        fc.array(seconds, { minLength: 1, maxLength: 7 }),
        fc.integer({ min: 1, max: 7 }),
        (times, wanted) => {
          const count = Math.min(wanted, times.length);
          const modules = times.map((forwardSeconds) => ({ ...module, forwardSeconds }));
          const timeOf = (group: readonly ModuleCost[]) => group.reduce((sum, one) => sum + one.forwardSeconds, 0);
          const stages = balancedStages(modules, count, ({ forwardSeconds }) => forwardSeconds);
          expect(stages.flat()).toEqual(modules);
          expect(stages).toHaveLength(count);
          expect(stages.every((stage) => stage.length > 0)).toBe(true);
          const best = Math.min(...cuts(modules, count).map((groups) => Math.max(...groups.map(timeOf))));
          expect(Math.max(...stages.map(timeOf))).toBeCloseTo(best, 9);
        },
      ),
    );
  });
});

describe('simulateLocalPipeline with given stages', () => {
  it('has the pace of the longest one', () => {
    const { batchesPerSecond, modules, slowest } = simulateLocalPipeline(equal(4), free(2), { stages: [1, 3] });
    expect(modules).toEqual([1, 3]);
    expect(slowest).toEqual({ worker: 1, seconds: 9 });
    expect(batchesPerSecond).toBeCloseTo(1 / 9);
  });

  it.each([[[4]], [[1, 2]], [[0, 4]], [[1.5, 2.5]]])('rejects %j for two machines and four modules', (stages) => {
    expect(() => simulateLocalPipeline(equal(4), free(2), { stages })).toThrow(
      /stages is \[.*\]; allowed: 2 integers ≥ 1 whose sum is 4/,
    );
  });
});

/** All ways to cut a list into adjacent, nonempty groups. */
function cuts<T>(list: readonly T[], count: number): T[][][] {
  if (count === 1) return [[[...list]]];
  return list
    .slice(0, list.length - count + 1)
    .flatMap((_, index) => cuts(list.slice(index + 1), count - 1).map((rest) => [list.slice(0, index + 1), ...rest]));
}

describe('simulate', () => {
  it('reports workers that wait for each other', () => {
    const task = (id: string, other: string) => [{ id, seconds: 1, needs: [{ task: other }] }];
    expect(() => simulate([task('a', 'b'), task('b', 'a')], { bandwidth: 1, latency: 0 })).toThrow('waits forever');
  });
});
