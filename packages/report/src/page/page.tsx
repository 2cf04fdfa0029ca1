import { renderToString } from 'preact-render-to-string';
import type { StudyView } from '../condition-rows.js';
import { environmentFacts } from '../environment-facts.js';
import type { DrawnFigure } from '../figures/drawn-figures.js';
import { findings } from '../findings.js';
import type { PlanFile } from '../plan-files.js';
import { paragraphs } from '../text/markdown.js';
import { counted } from '../text/wording.js';
import { Code, Facts, FigurePart, Section } from './parts.js';
import { Plans } from './plans.js';
import { Results } from './results.js';
import { Runs } from './runs.js';
import { style } from './style.js';

export interface PageContent {
  readonly view: StudyView;
  readonly figures: readonly DrawnFigure[];
  readonly plans: readonly PlanFile[];
  /** Address of the folder of a run relative to the page; null if the page is not stored beside the runs. */
  readonly linkTo: (folder: string) => string | null;
}

/** The whole report as one file, without scripts and external resources. */
export function renderPage(content: PageContent): string {
  return `<!doctype html>\n${renderToString(<Page {...content} />)}\n`;
}

function Page({ view, figures, plans, linkTo }: PageContent) {
  const { study, finished, wanted, stopped } = view;
  const contents = [
    ['findings', 'What this shows'],
    ['results', 'Results'],
    ...figures.map(({ id, title, heading = title }) => [id, heading]),
    ...(plans.length === 0 ? [] : [['plans', 'What was trained']]),
    ['repeat', 'How to reproduce this'],
    ['environment', 'Environment'],
    ['runs', 'Runs'],
  ];
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${study.title}: localgrad report`}</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <main>
          <p class="kicker">localgrad report</p>
          <h1>{study.title}</h1>
          {paragraphs(study.description).map((text) => (
            <p class="lead">{text}</p>
          ))}
          <p>
            {counted(study.conditions.length, 'condition')}, {finished} of {counted(wanted + stopped, 'run')} finished
            {stopped > 0 && `, ${stopped} stopped early`}.
          </p>
          <nav aria-label="Contents">
            <ul class="contents">
              {contents.map(([id, title]) => (
                <li>
                  <a href={`#${id}`}>{title}</a>
                </li>
              ))}
            </ul>
          </nav>
          <Findings view={view} />
          <Section id="results" title="Results">
            <Results view={view} />
          </Section>
          {figures.map((figure) => (
            <FigurePart figure={figure} />
          ))}
          {plans.length > 0 && <Plans plans={plans} />}
          <Section id="repeat" title="How to reproduce this">
            {study.commands.length > 0 && <Code label="Commands" text={study.commands.join('\n')} />}
            <p>The experiment file:</p>
            <Code label="Experiment file" text={study.source} />
          </Section>
          <Section id="environment" title="Environment">
            {finished === 0 ? <p>No run has finished yet.</p> : <Facts facts={environmentFacts(view)} />}
          </Section>
          <Section id="runs" title="Runs">
            <Runs view={view} linkTo={linkTo} />
          </Section>
          <footer>
            The same content in other formats: <a href="report.md">report.md</a>, <a href="report.tex">report.tex</a>.
            Every number: <a href="results.csv">results.csv</a> by condition and <a href="runs.csv">runs.csv</a> by run.
          </footer>
        </main>
      </body>
    </html>
  );
}

function Findings({ view }: { view: StudyView }) {
  return (
    <Section id="findings" title="What this shows">
      <div class="findings">
        {findings(view).map(({ text, details }) => (
          <>
            <p>{text}</p>
            {details.length > 0 && (
              <ul>
                {details.map((detail) => (
                  <li>{detail}</li>
                ))}
              </ul>
            )}
          </>
        ))}
      </div>
    </Section>
  );
}
