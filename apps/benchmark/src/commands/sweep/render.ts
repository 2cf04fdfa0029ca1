import type { LeftRun, Submission, Sweep, SweepPlan, SweepResult, SweepStatus } from '@localgrad/experiments';
import { quoted, renderLeft } from '@localgrad/experiments';
import { textTable } from '@localgrad/report';
import { formatBytes, formatSeconds } from '@localgrad/train';

export interface SweepReport extends Omit<SweepResult, 'left'> {
  /** Command that retries failed runs. */
  readonly retryCommand: string | null;
  /** False if a run has used up its attempts; the exit code is then 1. */
  readonly passed: boolean;
}

export interface RunReport extends SweepReport {
  /** Runs that are neither finished nor failed for good. */
  readonly left: readonly LeftRun[];
  /** False if a run is not finished; the exit code is then 1. */
  readonly passed: boolean;
}

export interface StatusReport extends SweepReport, Pick<SweepStatus, 'tasks'> {}

export function reportOf({ left: _, ...result }: SweepResult, { commands }: Sweep): SweepReport {
  const hasFailures = result.failures.length > 0;
  const retryCommand = hasFailures ? `${commands.at(-1) ?? 'localgrad sweep run FILE'} --retry-failed` : null;
  return { ...result, retryCommand, passed: !hasFailures };
}

export function renderSweep(report: SweepReport & Partial<Pick<RunReport, 'left'>>): string {
  const { folder, runs, counts, diverged, stopped, failures, unreadable, retryCommand, left } = report;
  const parts = Object.entries(counts).flatMap(([status, count]) => (count === 0 ? [] : [`${count} ${status}`]));
  return [
    `${runs} runs: ${parts.join(', ')}`,
    ...diverged.map(({ name, message, folder: run }) => `DIVERGED  ${name}: ${message} (${run}); left out of means`),
    ...stopped.map(({ name, message }) => `stopped   ${name}: ${message}; left out of means`),
    ...failures.map(({ name, message, folder: run }) => `failed    ${name}: ${message} (${run})`),
    ...(retryCommand === null ? [] : [`again     ${retryCommand}`]),
    // Runs that are left include those with damaged files.
    ...(left === undefined
      ? unreadable.map(({ name, message }) => `unreadable ${name}: ${message} Workers will try it again.`)
      : renderLeft(left)),
    `folder    ${folder}`,
    `report    localgrad report ${quoted(folder)}`,
  ].join('\n');
}

export function renderStatus(report: StatusReport): string {
  const diverged = new Set(report.diverged.map(({ index }) => index));
  const rows = report.tasks.map(({ task, status, attempts }) => [
    task.name,
    diverged.has(task.index) ? 'diverged' : status,
    String(attempts.filter(({ outcome }) => outcome !== 'reset').length),
    task.runId,
  ]);
  return `${textTable(['run', 'status', 'attempts', 'folder'], rows)}\n${renderSweep(report)}`;
}

export function renderSubmission({
  folder,
  script,
  jobId,
  elements,
  runs,
  undecided,
}: Submission & { readonly folder: string }): string {
  const sent =
    runs === 0
      ? undecided === 0
        ? 'nothing is left to do'
        : 'nothing to submit yet'
      : jobId === null
        ? `not submitted: ${script}`
        : `job ${jobId}: ${runs} runs in ${elements} elements`;
  const name = quoted(folder);
  const rest =
    undecided === 0
      ? []
      : [`${undecided} runs depend on the values that are chosen (tune); submit again when the others have finished`];
  return [sent, ...rest, `status    localgrad sweep status ${name}`, `report    localgrad report ${name}`].join('\n');
}

export function renderPlan({ rows, runs, finished, stopped, failed, predictedSeconds, basis }: SweepPlan): string {
  const table = textTable(
    ['condition', 'runs', 'finished', 'units of work', 'predicted peak', 'predicted time per run'],
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
      : `about ${formatSeconds(predictedSeconds)} of training steps left, one run after the other (from ${basis}), plus evaluation`;
  const ended = [
    `${runs} runs, ${finished} finished`,
    ...(stopped === 0 ? [] : [`${stopped} stopped early`]),
    ...(failed === 0 ? [] : [`${failed} failed (--retry-failed)`]),
  ];
  return `${table}\n${ended.join(', ')}\n${time}`;
}
