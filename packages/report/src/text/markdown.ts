import type { StudyView } from '../condition-rows.js';
import { environmentFacts } from '../environment-facts.js';
import type { Figure } from '../figures/figure.js';
import { findings } from '../findings.js';
import { type PlanFile, planCaption } from '../plan-files.js';
import { resultColumns } from '../results-table.js';
import { markdownCode, markdownText } from './escape.js';

/** The report for a repository or a pull request; links the figure files. */
export function markdownOf(view: StudyView, figures: readonly Figure[], plans: readonly PlanFile[] = []): string {
  const { study } = view;
  const columns = resultColumns(view);
  const line = (cells: readonly string[]) => `| ${cells.map(markdownText).join(' | ')} |`;
  const blocks = [
    `# ${markdownText(study.title)}`,
    ...paragraphs(study.description).map(markdownText),
    '## What this shows',
    findings(view)
      .map(({ text, details }) =>
        [`- ${markdownText(text)}`, ...details.map((detail) => `  - ${markdownText(detail)}`)].join('\n'),
      )
      .join('\n'),
    '## Results',
    [
      line(columns.map(({ title }) => title)),
      `| ${columns.map(({ isText }) => (isText ? ':--' : '--:')).join(' | ')} |`,
      ...view.rows.map((row) => line(columns.map(({ text }) => text(row)))),
    ].join('\n'),
    ...figures.flatMap(({ id, title, heading = title, caption }) => [
      `## ${markdownText(heading)}`,
      `![${markdownText(heading)}](figures/${id}.png)`,
      markdownText(caption),
    ]),
    ...planBlocks(plans),
    '## How to reproduce this',
    ...(study.commands.length === 0 ? [] : [markdownCode(study.commands.join('\n'), 'bash')]),
    markdownCode(study.source, 'yaml'),
    '## Environment',
    environmentFacts(view)
      .map(({ name, value }) => `- ${markdownText(name)}: ${markdownText(value)}`)
      .join('\n'),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** Shows the first plan and links the others: plans of similar methods look alike. */
function planBlocks([first, ...others]: readonly PlanFile[]): string[] {
  if (first === undefined) return [];
  return [
    '## What was trained',
    planCaption,
    `![${markdownText(`Plan of ${first.title}`)}](figures/${first.id}.png)`,
    [first, ...others]
      .map(({ id, title }) => `- ${markdownText(title)}: [SVG](figures/${id}.svg), [PNG](figures/${id}.png)`)
      .join('\n'),
  ];
}

/** Paragraphs of a text, separated by empty lines. */
export function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '');
}
