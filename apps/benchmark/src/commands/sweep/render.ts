import type { SweepPlan, SweepStatus } from '@localgrad/experiments';
import { renderLeft } from '@localgrad/experiments';
import { formatBytes, formatSeconds } from '@localgrad/train';
import { textTable } from '../../text-table.js';
import type { RunReport, SweepReport } from './run-sweep.js';

export function renderSweep(report: SweepReport & Partial<Pick<RunReport, 'left'>>): string {
  const { folder, runs, counts, diverged, failures, retryCommand, left = [] } = report;
  const parts = Object.entries(counts).flatMap(([status, count]) => (count === 0 ? [] : [`${count} ${status}`]));
  return [
    `${runs} runs: ${parts.join(', ')}`,
    ...diverged.map(({ name, message, folder: run }) => `DIVERGED  ${name}: ${message} (${run}); left out of means`),
    ...failures.map(({ name, message, folder: run }) => `failed    ${name}: ${message} (${run})`),
    ...(retryCommand === null ? [] : [`again     ${retryCommand}`]),
    ...renderLeft(left),
    `folder    ${folder}`,
    `report    localgrad report ${folder}`,
  ].join('\n');
}

export function renderStatus(report: SweepReport & Pick<SweepStatus, 'tasks'>): string {
  const diverged = new Set(report.diverged.map(({ index }) => index));
  const rows = report.tasks.map(({ task, status, attempts }) => [
    task.name,
    diverged.has(task.index) ? 'diverged' : status,
    String(attempts.filter(({ outcome }) => outcome !== 'reset').length),
    task.runId,
  ]);
  return `${textTable(['run', 'status', 'attempts', 'folder'], rows)}\n${renderSweep(report)}`;
}

export function renderPlan({ rows, runs, finished, predictedSeconds, basis }: SweepPlan): string {
  const table = textTable(
    ['condition', 'runs', 'finished', 'units of work', 'predicted peak', 'predicted time a run'],
    rows.map((row) => [
      row.name,
      String(row.runs),
      String(row.finished),
      row.unitsOfWork.toFixed(2),
      formatBytes(row.predictedPeakBytes),
      row.predictedSeconds === null ? '–' : formatSeconds(row.predictedSeconds),
    ]),
  );
  const time =
    predictedSeconds === null
      ? 'time: not predicted (--no-measure)'
      : `about ${formatSeconds(predictedSeconds)} of training steps left, one run after the other (from ${basis}); evaluation comes on top`;
  return `${table}\n${runs} runs, ${finished} finished\n${time}`;
}
