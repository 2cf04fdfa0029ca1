import { combinedWithParts, helpOfValues } from './answers.js';
import { choices } from './choice-finding.js';
import { finishedRuns, type StudyView } from './condition-rows.js';
import { costs, equalCompute, worthTheirCost } from './cost-findings.js';
import type { Finding } from './finding.js';
import { reach } from './reach-finding.js';
import { omissionMark } from './results-table.js';
import { counted, listed, seedsOf } from './text/wording.js';

/** The results of the study in sentences. */
export function findings(view: StudyView): Finding[] {
  if (view.finished === 0) {
    return [
      { text: `No run has finished yet; ${counted(view.wanted + view.stopped, 'run')} planned.`, details: [] },
      ...stoppedEarly(view),
      ...unreadable(view),
    ];
  }
  return [
    ...unfinished(view),
    ...diverged(view),
    ...stoppedEarly(view),
    ...unreadable(view),
    ...differentMetrics(view),
    ...choices(view),
    ...withoutTestSet(view),
    ...helpOfValues(view),
    ...combinedWithParts(view),
    ...reach(view),
    ...costs(view),
    ...equalCompute(view),
    ...worthTheirCost(view),
  ];
}

function unfinished({ rows, finished, wanted, stopped }: StudyView): Finding[] {
  if (finished === wanted) return [];
  const counts = rows.map(finishedRuns);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const each = fewest === most ? String(fewest) : `${fewest} to ${most}`;
  return [
    {
      text: `The study is incomplete: ${finished} of ${counted(wanted + stopped, 'run')} have finished, ${each} per condition. Missing and failed runs are omitted from every mean; column 'missing_seeds' of results.csv lists them.`,
      details: [],
    },
  ];
}

/** Values of different metrics have no common scale. */
function differentMetrics({ chosenBy, metric }: StudyView): Finding[] {
  if (chosenBy.length < 2) return [];
  return [
    {
      text: `The runs choose their epochs by different metrics (${listed([...chosenBy].sort())}), so this report compares their ${metric.name}. Set 'metric' in 'base' to one that all of them measure.`,
      details: [],
    },
  ];
}

function withoutTestSet({ rows }: StudyView): Finding[] {
  if (rows.some(({ last, diverged }) => last !== null || diverged.length > 0)) return [];
  return [{ text: 'No run has a test set, so only costs can be compared.', details: [] }];
}

/** Loudly: the remaining runs of a condition are not a random sample. */
function diverged({ rows }: StudyView): Finding[] {
  const affected = rows.filter((row) => row.diverged.length > 0);
  const count = affected.reduce((sum, row) => sum + row.diverged.length, 0);
  if (count === 0) return [];
  return [
    {
      text: `${counted(count, 'run')} diverged: ${count === 1 ? 'its' : 'their'} weights or losses are not finite numbers. Every mean, interval and test omits diverged runs, so the marked means of these conditions (${omissionMark}) are too favorable.`,
      details: affected.map(
        (row) =>
          `${row.condition.name}: ${row.diverged.length} of ${finishedRuns(row)} finished runs (${seedsOf(row.diverged.map(({ seed }) => seed))})`,
      ),
    },
  ];
}

/** As loudly: the worst runs of a condition are missing from its mean. */
function stoppedEarly({ rows }: StudyView): Finding[] {
  const affected = rows.filter(({ stopped }) => stopped.length > 0);
  const count = affected.reduce((sum, { stopped }) => sum + stopped.length, 0);
  if (count === 0) return [];
  return [
    {
      text: `${counted(count, 'run')} ${count === 1 ? 'was' : 'were'} stopped early by the rule of the sweep. Every mean, interval and test omits them, so the marked means of these conditions (${omissionMark}) are too favorable.`,
      details: affected.flatMap(({ condition, stopped }) =>
        stopped.map(({ seed, reason }) => `${condition.name}, seed ${seed}: ${reason}`),
      ),
    },
  ];
}

/** Runs with damaged files count as missing. */
function unreadable({ study: { problems: details = [] } }: StudyView): Finding[] {
  if (details.length === 0) return [];
  return [{ text: `${counted(details.length, 'file')} of runs cannot be read.`, details }];
}
