import { combinedWithParts, helpOfValues } from './answers.js';
import type { StudyView } from './condition-rows.js';
import { costs, equalCompute, worthTheirCost } from './cost-findings.js';
import type { Finding } from './finding.js';
import { reach } from './reach-finding.js';
import { counted } from './text/wording.js';

/** What the study shows, in sentences for readers who will not look at the table. */
export function findings(view: StudyView): Finding[] {
  if (view.finished === 0) return [{ text: `No run has finished yet; ${view.wanted} are asked for.`, details: [] }];
  return [
    ...unfinished(view),
    ...withoutTestSet(view),
    ...helpOfValues(view),
    ...combinedWithParts(view),
    ...reach(view),
    ...costs(view),
    ...equalCompute(view),
    ...worthTheirCost(view),
  ];
}

function unfinished({ rows, finished, wanted }: StudyView): Finding[] {
  if (finished === wanted) return [];
  const counts = rows.map(({ condition }) => condition.runs.length);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const each = fewest === most ? String(fewest) : `${fewest} to ${most}`;
  return [
    {
      text: `The study is incomplete: ${finished} of ${counted(wanted, 'run')} have finished, ${each} a condition. What is missing or failed is left out of every mean, and listed under Runs.`,
      details: [],
    },
  ];
}

function withoutTestSet({ rows }: StudyView): Finding[] {
  if (rows.some(({ last }) => last !== null)) return [];
  return [{ text: 'No run was tested on a test set, so only costs can be compared.', details: [] }];
}
