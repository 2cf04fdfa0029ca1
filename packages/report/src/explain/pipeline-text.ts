import type { ExplainedCut, Explanation } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import { textTable } from '../text/text-table.js';

/** How a plan is divided among workers: what crosses each cut, and each worker's share. */
export function pipelineLines({ pipeline }: Explanation): string[] {
  if (pipeline === undefined) return [];
  const { cuts, workers, problem } = pipeline;
  const cutTable = textTable(
    ['cut before module', 'forward', 'of', 'also'],
    cuts.map((cut) => [
      String(cut.cut),
      formatBytes(cut.forwardBytes),
      ['activations', ...cut.targets].join(', '),
      obstacles(cut).join('; ') || 'nothing: workers can train both sides at the same time',
    ]),
    ['right', 'right', 'left', 'left'],
  );
  return [
    '',
    'Pipeline: what crosses each cut between modules in a step.',
    cutTable,
    '',
    ...(problem === null ? workerLines(workers) : [`Not possible: ${problem}`]),
  ];
}

function workerLines(workers: NonNullable<Explanation['pipeline']>['workers']): string[] {
  return [
    'Workers: each trains its modules on a batch while the one before it trains on the next batch, with the same results.',
    textTable(
      ['worker', 'modules', 'share of work', 'predicted peak'],
      workers.map(({ worker, modules: [first, last], work, predictedPeakBytes }) => [
        worker,
        first === last ? String(first) : `${first} to ${last}`,
        `${(100 * work).toFixed(1)} %`,
        formatBytes(predictedPeakBytes),
      ]),
      ['left', 'left', 'right', 'right'],
    ),
  ];
}

/** What prevents a cut. */
function obstacles({ gradients, followed, shared }: ExplainedCut): string[] {
  const heads = [...new Set(followed.map(({ head }) => head))];
  const bytes = 4 * [...new Map(followed.map(({ live, size }) => [live, size])).values()].reduce((a, b) => a + b, 0);
  return [
    ...(gradients.length === 0 ? [] : [`backward: gradients of ${gradients.join(', ')}`]),
    ...(followed.length === 0 ? [] : [`weights that ${heads.join(', ')} average (${formatBytes(bytes)})`]),
    ...(shared.length === 0 ? [] : [`${shared.length} shared weights`]),
  ];
}
