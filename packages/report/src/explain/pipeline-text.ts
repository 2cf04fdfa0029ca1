import type { ExplainedCut, ExplainedForecast, Explanation, PipelineForecast, PlacementBasis } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import { textTable } from '../text/text-table.js';

/** How a plan is divided among workers: what crosses each cut, and each worker's share. */
export function pipelineLines({ pipeline }: Explanation): string[] {
  if (pipeline === undefined) return [];
  const { cuts, problem, forecast } = pipeline;
  const cutTable = textTable(
    ['cut before module', 'forward', 'of', 'also'],
    cuts.map((cut) => [
      String(cut.cut),
      formatBytes(cut.forwardBytes),
      ['activations', ...cut.targets].join(', '),
      obstacles(cut).join('; ') || 'nothing: no worker waits for the one after it',
    ]),
    ['right', 'right', 'left', 'left'],
  );
  return [
    '',
    'Pipeline: what crosses each cut between modules in a step.',
    cutTable,
    '',
    ...(problem === null ? workerLines(pipeline) : [`Not possible: ${problem}`]),
    ...(forecast === undefined ? [] : forecastLines(forecast)),
  ];
}

const strategyNames: Readonly<Record<ExplainedForecast['strategy'], string>> = {
  localPipeline: 'this plan on workers',
  dataParallel: 'end to end, data parallel',
  gpipe: 'end to end, GPipe',
  oneForwardOneBackward: 'end to end, 1F1B',
};

function forecastLines({ bandwidth, latency, speed, strategies }: PipelineForecast): string[] {
  const isComplete = strategies.some(({ strategy }) => strategy === 'localPipeline');
  return [
    '',
    `Predicted on machines with ${(speed / 1e9).toPrecision(3)} × 10⁹ multiply-accumulates per second, ${((8 * bandwidth) / 1e9).toPrecision(3)} Gbit/s, latency ${(1000 * latency).toPrecision(3)} ms:`,
    textTable(
      ['strategy', 'images/s', 'slowest machine', 'sent per step', 'largest memory'],
      strategies.map((one) => [
        strategyNames[one.strategy],
        one.imagesPerSecond.toPrecision(3),
        `${one.slowest}: ${(1000 * one.slowestSeconds).toPrecision(3)} ms, ${(100 * (one.utilization[one.slowest] ?? 0)).toFixed(0)} % busy`,
        formatBytes(one.sentBytes),
        formatBytes(Math.max(...one.memoryBytes)),
      ]),
      ['left', 'right', 'left', 'right', 'right'],
    ),
    ...(isComplete
      ? []
      : ['This plan is not in the table: gradients cross a cut, and the wait for them is not predicted.']),
  ];
}

const bases: Readonly<Record<PlacementBasis, readonly string[]>> = {
  time: ['Divided by measured time: each worker takes equally long, as far as the cuts allow.'],
  work: ['Divided by predicted work, because the modules have not been timed on this machine; train measures them.'],
  given: [],
  only: [],
};

function workerLines({ basis, workers, isAsynchronous }: NonNullable<Explanation['pipeline']>): string[] {
  const isTimed = basis === 'time';
  const milliseconds = (seconds = Number.NaN) => `${(1000 * seconds).toPrecision(3)} ms`;
  return [
    isAsynchronous
      ? 'Workers: each trains its modules at its own pace, so no two runs have the same results.'
      : 'Workers: each trains its modules on a batch while the one before it trains on the next batch, with the same results.',
    ...(basis === null || isAsynchronous ? [] : bases[basis]),
    textTable(
      ['worker', 'modules', 'share of work', ...(isTimed ? ['measured step'] : []), 'predicted peak'],
      workers.map(({ worker, modules: [first, last], work, seconds, predictedPeakBytes }) => [
        worker,
        first === last ? String(first) : `${first} to ${last}`,
        `${(100 * work).toFixed(1)} %`,
        ...(isTimed ? [milliseconds(seconds)] : []),
        formatBytes(predictedPeakBytes),
      ]),
      ['left', 'left', 'right', ...(isTimed ? ['right' as const] : []), 'right'],
    ),
  ];
}

/** What workers on both sides wait for, or what prevents the cut. */
function obstacles(cut: ExplainedCut): string[] {
  const { gradients, followed, shared, isPossible, delay } = cut;
  const late = delay === 0 ? '' : `, ${delay} ${delay === 1 ? 'step' : 'steps'} late`;
  const heads = [...new Set(followed.map(({ head }) => head))];
  const all = [
    ...(gradients.length === 0
      ? []
      : [`gradients of ${gradients.join(', ')} backward${late} (${formatBytes(cut.backwardBytes)})`]),
    ...(followed.length === 0 ? [] : [`weights that ${heads.join(', ')} average (${formatBytes(cut.followedBytes)})`]),
    ...(shared.length === 0 ? [] : [`${shared.length} shared weights`]),
  ];
  return isPossible ? all : ['not possible', ...all];
}
