import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { planFilesOf } from './plan-files.js';
import { syntheticStudy } from './study.fixture.js';
import { writeReport } from './write-report.js';

const svg = (name: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30" role="img" aria-labelledby="title"><title id="title">${name}</title><text x="9" y="20">${name}</text></svg>`;
const plans = ['dgl(head: 1c2f), K = 4', 'mlm(dgl), K = 4'].map((title) => ({ title, svg: svg(title) }));
const study = syntheticStudy({ hosts: ['DGL'], modules: [4], additions: 1, epochs: 1, seeds: 1 });

it('names files of plans by number and title, for any characters in the title', () => {
  const titles = ['dgl(head: 1c2f), K = 4', '../<x>', '…', 'a'.repeat(100)];
  expect(planFilesOf(titles.map((title) => ({ title, svg: '' }))).map(({ id }) => id)).toEqual([
    'plan-1-dgl-head-1c2f-k-4',
    'plan-2-x',
    'plan-3',
    `plan-4-${'a'.repeat(48)}`,
  ]);
});

it('writes plans as files, links them from Markdown and page, and opens one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-plans-'));
  const files = await writeReport(study, folder, { planFigures: plans });
  const names = ['plan-1-dgl-head-1c2f-k-4', 'plan-2-mlm-dgl-k-4'];
  const markdown = await readFile(files.markdown, 'utf8');
  const html = await readFile(files.html, 'utf8');
  for (const name of names) {
    expect(files.figures).toContain(join(folder, 'figures', `${name}.svg`));
    const png = await readFile(join(folder, 'figures', `${name}.png`));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    for (const ending of ['svg', 'png']) {
      expect(markdown).toContain(`(figures/${name}.${ending})`);
      expect(html).toContain(`href="figures/${name}.${ending}"`);
    }
  }
  expect(await readFile(join(folder, 'figures', `${names[0]}.svg`), 'utf8')).toBe(plans[0]?.svg);
  expect(markdown).toContain('![Plan of dgl(head: 1c2f), K = 4](figures/plan-1-dgl-head-1c2f-k-4.png)');
  const part = html.slice(html.indexOf('<h2 id="plans">'), html.indexOf('<h2 id="repeat">'));
  expect(part.match(/<details>/g)).toHaveLength(1);
  expect(part.indexOf('dgl(head: 1c2f), K = 4')).toBeLessThan(part.indexOf('<details>'));
  expect(part).toContain('<summary>mlm(dgl), K = 4</summary>');
});

it('removes plans of an earlier report, and no other files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-plans-'));
  await writeReport(study, folder, { planFigures: plans });
  const figures = join(folder, 'figures');
  await mkdir(join(figures, 'plan-9.svg.d'));
  await writeFile(join(figures, 'plan-of-mine.svg'), '');
  await writeReport(study, folder, { planFigures: plans.slice(0, 1) });
  const plansLeft = (await readdir(figures)).filter((name) => name.startsWith('plan'));
  expect(plansLeft).toEqual([
    'plan-1-dgl-head-1c2f-k-4.png',
    'plan-1-dgl-head-1c2f-k-4.svg',
    'plan-9.svg.d',
    'plan-of-mine.svg',
  ]);
});
