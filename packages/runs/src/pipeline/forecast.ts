import { at, bytesOf, type Optimizer } from '@localgrad/core';
import { type CompiledPlan, moduleCostOf } from '@localgrad/engine';
import { multiplyAccumulatesOf } from '@localgrad/nn/cost';
import { crossingsOf, moduleWork, type Placement } from '@localgrad/pipeline';
import { compareStrategies, type ModuleCost, type Strategy } from '@localgrad/pipeline-simulator';
import { sum } from '../sum.js';

/** Machines of equal speed, on which training is predicted. */
export interface ForecastMachines {
  /** Bytes per second in each direction between two machines. */
  readonly bandwidth: number;
  /** Seconds until the first byte of a message arrives. Default 0. */
  readonly latency?: number;
  /** Multiply-accumulates per second of a machine. Default 10¹⁰. */
  readonly speed?: number;
}

/** Predicted training with one strategy. */
export interface ExplainedForecast {
  readonly strategy: Strategy;
  /** Images per second, once the pipeline is full. */
  readonly imagesPerSecond: number;
  /** The machine with the longest computation per step, from 0. */
  readonly slowest: number;
  readonly slowestSeconds: number;
  /** Fraction of the time that each machine computes. */
  readonly utilization: readonly number[];
  /** Bytes that all machines send in a step. */
  readonly sentBytes: number;
  /** Bytes of each machine. */
  readonly memoryBytes: readonly number[];
}

/** The prediction of a plan beside the ways of end-to-end training. */
export interface PipelineForecast extends Required<ForecastMachines> {
  /** Without `localPipeline` where gradients cross backward, because the wait for them is not predicted. */
  readonly strategies: readonly ExplainedForecast[];
}

interface ForecastSetting {
  readonly batch: number;
  readonly optimizer: Pick<Optimizer, 'stateBytes'>;
  readonly machines: ForecastMachines;
  /** Predicted peak of each worker of the local pipeline. */
  readonly peaks: readonly number[];
}

/** Predicts training on several machines from the work of modules, heads included, and what they send. */
export function forecastPipeline(
  compiled: CompiledPlan,
  placement: Placement,
  setting: ForecastSetting,
): PipelineForecast {
  const { batch, peaks } = setting;
  const { bandwidth, latency = 0, speed = 1e10 } = setting.machines;
  const starts = new Set(placement.map(({ range }) => range[0]));
  const waits = crossingsOf(compiled).some(({ cut, gradients }) => starts.has(cut) && gradients.length > 0);
  const modules = moduleCosts(compiled, batch, speed, setting.optimizer);
  const stages = placement.map(({ range: [first, last] }) => last - first + 1);
  const forecasts = compareStrategies(modules, { workers: placement.length, bandwidth, latency }, { stages });
  return {
    ...{ bandwidth, latency, speed },
    strategies: forecasts
      .filter(({ strategy }) => strategy !== 'localPipeline' || !waits)
      .map(({ strategy, batchesPerSecond, slowest, utilization, sentBytes, memoryBytes }) => ({
        strategy,
        imagesPerSecond: batchesPerSecond * batch,
        slowest: slowest.worker,
        slowestSeconds: slowest.seconds,
        utilization,
        sentBytes,
        memoryBytes: strategy === 'localPipeline' ? peaks : memoryBytes,
      })),
  };
}

function moduleCosts(
  compiled: CompiledPlan,
  batch: number,
  speed: number,
  optimizer: Pick<Optimizer, 'stateBytes'>,
): ModuleCost[] {
  const work = moduleWork(compiled);
  return compiled.modules.map((module, index): ModuleCost => {
    const forward = multiplyAccumulatesOf(module);
    const heads = (compiled.heads.get(index) ?? []).flatMap(({ head }) => head.parameters);
    const seconds = (multiplyAccumulates: number) => (batch * multiplyAccumulates) / speed;
    const bytes = (parameters: readonly { readonly size: number }[]) => 4 * sum(parameters.map(({ size }) => size));
    const state = (parameters: typeof heads) =>
      sum(parameters.filter(({ kind }) => kind === 'weight').map((parameter) => optimizer.stateBytes(parameter)));
    return {
      forwardSeconds: seconds(forward),
      backwardSeconds: seconds(2 * forward),
      updateSeconds: 0,
      // Losses and heads, and gradients of the losses of later modules.
      headSeconds: seconds(Math.max(0, at(work, index, 'module') - 3 * forward)),
      outputBytes: bytesOf(module.outputShape, batch),
      residualBytes: moduleCostOf(module, at(compiled.moduleBlocks, index, 'module'), batch).residualBytes,
      weightBytes: bytes(module.parameters),
      stateBytes: state([...module.parameters]),
      headBytes: bytes(heads) + state(heads),
    };
  });
}
