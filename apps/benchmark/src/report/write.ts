import { join } from 'node:path';
import { pngOf, renderSvg, withOwnIds, withPageColours } from '@localgrad/report';
import { writeWhole } from '@localgrad/runs';
import type { QuickstartResults } from '../quickstart/results.js';
import { accuracyCurves, bars, lossCurves, overview } from './figures.js';
import { type PageFigure, renderPage } from './page.js';
import { memoryText, numberWord, percent, setting, timeText } from './wording.js';

/** The report's files, from the results alone: the same results give the same bytes. */
export async function renderReport(results: QuickstartResults): Promise<{ html: string; png: Uint8Array }> {
  const memory = bars(results, {
    title: 'Peak memory',
    subtitle: 'live tensors during a training step; less is better',
    value: ({ peakBytes }) => peakBytes,
    text: memoryText,
  });
  const time = bars(results, {
    title: 'Training time',
    subtitle: 'all steps, without evaluation; less is better',
    value: ({ seconds }) => seconds,
    text: timeText,
  });
  const accuracy = accuracyCurves(results);
  const list = (text: (run: QuickstartResults['runs'][number]) => string) =>
    results.runs.map((run) => `${run.label} ${text(run)}`).join('; ');
  const final = list(({ testAccuracy }) => percent(testAccuracy));
  let count = 0;
  const figure = async (spec: Record<string, unknown>, description: string, caption: string): Promise<PageFigure> => ({
    svg: withOwnIds(withPageColours(await renderSvg(spec)), `figure${++count}-`),
    description,
    caption,
  });
  const figures = [
    await figure(
      accuracy,
      `Line chart of test accuracy by epoch. At the end: ${final}.`,
      'Bold lines are means over seeds, thin lines single seeds.',
    ),
    await figure(
      lossCurves(results),
      'Line chart of the classifier’s training loss by step.',
      'The loss of the network’s own classifier. In local learning the classifier works on features that it has no say in.',
    ),
    await figure(
      memory,
      `Bar chart of peak memory: ${list(memoryText)}.`,
      'Weights, optimizer state, activations, gradients and the batch, at the worst moment.',
    ),
    await figure(
      time,
      `Bar chart of training time: ${list(timeText)}.`,
      'Auxiliary networks cost time; what is saved is memory.',
    ),
  ];
  const picture = overview(
    results,
    [accuracy, memory, time],
    `One network, trained ${numberWord(results.runs.length)} ways`,
    setting(results),
  );
  return { html: renderPage(results, figures), png: await pngOf(await renderSvg(picture)) };
}

/** Writes `index.html`, `report.png` and `results.json`. @returns path of the page */
export async function writeReport(results: QuickstartResults, folder: string): Promise<string> {
  const { html, png } = await renderReport(results);
  await writeWhole(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeWhole(join(folder, 'report.png'), png);
  const page = join(folder, 'index.html');
  await writeWhole(page, html);
  return page;
}
