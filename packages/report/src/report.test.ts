import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Study } from '@localgrad/experiments';
import { beforeAll, describe, expect, it } from 'vitest';
import { syntheticStudy } from './study.fixture.js';
import { type ReportFiles, type ReportOptions, writeReport } from './write-report.js';

const small = () => syntheticStudy({ hosts: ['DGL'], modules: [4], epochs: 3 });
const plan = {
  title: 'DGL <script>',
  svg: '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title"><title id="title">Plan</title><defs><marker id="arrow"/></defs><path marker-end="url(#arrow)"/><use href="#arrow"/></svg>',
};

async function report(study: Study, options?: ReportOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'localgrad-report-'));
  const files = await writeReport(study, folder, options);
  const read = (name: Exclude<keyof ReportFiles, 'figures'>) => readFile(files[name], 'utf8');
  return {
    folder,
    files,
    html: await read('html'),
    markdown: await read('markdown'),
    latex: await read('latex'),
    results: await read('results'),
    runs: await read('runs'),
  };
}

/** The same study with every run changed. */
function withRuns(study: Study, change: (run: Study['conditions'][number]['runs'][number]) => object): Study {
  return {
    ...study,
    conditions: study.conditions.map((condition) => ({
      ...condition,
      runs: condition.runs.map((run) => ({ ...run, summary: { ...run.summary, ...change(run) } })),
    })),
  };
}

describe('the report of a study', () => {
  let made: Awaited<ReturnType<typeof report>>;
  beforeAll(async () => {
    made = await report(syntheticStudy({ modules: [4] }), { planFigures: [plan, plan] });
  });

  it('is one page without scripts or external resources', () => {
    expect(made.html).toMatch(/^<!doctype html>/);
    expect(made.html).not.toMatch(/<script/i);
    expect(made.html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(made.html).not.toMatch(/@import|url\((?!#)/);
  });

  it('has figures as files and on the page, each with its own title, description and IDs', async () => {
    const names = ['accuracy-against-cost', 'equal-compute', 'learning-curves', 'linear-separability', 'module-losses'];
    const plans = ['plan-1-dgl-script', 'plan-2-dgl-script'];
    expect(await readdir(join(made.folder, 'figures'))).toEqual(
      [...names, ...plans].flatMap((name) => [`${name}.png`, `${name}.svg`]),
    );
    expect(made.files.figures).toHaveLength(14);
    for (const name of names) expect(made.html).toContain(`<h2 id="${name}">`);
    const ids = [...made.html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, used = ''] of made.html.matchAll(/aria-labelledby="([^"]+)"/g)) {
      for (const id of used.split(' ')) expect(ids).toContain(id);
    }
    for (const [, used] of made.html.matchAll(/(?:url\(#|href="#)([^)"]+)/g)) expect(ids).toContain(used);
  });

  it('distinguishes last and best accuracy, with intervals', () => {
    expect(made.html).toContain('Test accuracy, last epoch (95 % CI)');
    expect(made.html).toContain('Best epoch (95 % CI)');
    expect(made.html).toMatch(/<td>\d\d\.\d\d ± \d\.\d\d\u00a0%<\/td>/);
  });

  it('states whether each value helps, which conditions reach the reference, and what they cost', () => {
    expect(made.html).toMatch(
      /MLAAN( helps in| helps on average| depends|: no difference).*compared with none, all else equal \(p &lt; 0.05 after Holm's correction for 6 tests\)/,
    );
    expect(made.html).toMatch(
      /average over 2 settings: \+\d\.\d\d\u00a0points \(95 % CI .*\), paired by seed \(3 seeds, Holm over 3 averages\)/,
    );
    expect(made.html).toMatch(/host InfoPro, modules 4: \+\d\.\d\d\u00a0points \(95 % CI [+−]\d/);
    expect(made.html).toMatch(
      /End to end reaches 8\d\.\d\d\u00a0% \(95 % CI .* 3 runs\)\. \d of 8 local conditions with the same number of epochs/,
    );
    expect(made.html).toMatch(/none: \d of 2 settings; best: host \w+, modules 4, [+−]\d\.\d\d/);
    expect(made.html).toContain('end to end recomputed: 0.35\u00a0× the memory, 1.3');
    expect(made.html).toMatch(
      /MLAAN: \d\.\d\d\u00a0× the memory, \d\.\d\d to \d\.\d\d\u00a0× the time and \d\.\d\d\u00a0× the compute of end to end;/,
    );
    expect(made.html).toMatch(/MLAAN: more accurate than the best other condition in \d of 2 settings/);
    expect(made.html).toContain(
      'Conditions that are not named are significantly less accurate than one that costs no more.',
    );
    expect(made.html).toMatch(/by peak memory: [^<]*, .* and /);
    expect(made.html).toMatch(/by multiply-accumulates of the whole run: [^<]*10[¹²⁰⁵]+, \d\d\.\d\d/);
  });

  it('has CSV files with one row per condition and one per run', () => {
    const lines = made.results.trimEnd().split('\n');
    expect(lines).toHaveLength(1 + 10);
    const header = lines[0]?.split(',') ?? [];
    const row = lines[4]?.match(/("([^"]|"")*"|[^,]*)(,|$)/g)?.map((cell) => cell.replace(/,$/, '')) ?? [];
    const value = (name: string) => row[header.indexOf(name)];
    expect(value('name')).toBe('"DGL + MLAAN, K = 4"');
    expect(value('factor_add')).toBe('MLAAN');
    const runs = syntheticStudy({ modules: [4] }).conditions[3]?.runs ?? [];
    const mean = runs.reduce((sum, { summary }) => sum + (summary.testAccuracy ?? 0), 0) / 3;
    expect(Number(value('test_accuracy_mean'))).toBeCloseTo(mean, 12);
    expect(Number(value('multiply_accumulates'))).toBe(69e6 * 6.8 * 64 * 79 * 6);
    expect(made.runs.trimEnd().split('\n')).toHaveLength(1 + 30);
  });

  it('has a LaTeX table', () => {
    expect(made.latex).toMatch(/\\toprule[\s\S]*\\midrule[\s\S]*\\bottomrule/);
    const rows = made.latex.split('\n').filter((line) => line.endsWith('\\\\'));
    const [groups = '', ...cells] = rows.map((line) => line.replaceAll('\\&', ''));
    expect(cells).toHaveLength(11);
    const columns = cells.map((line) => line.split('&').length);
    expect(new Set(columns).size).toBe(1);
    // Groups span all their columns.
    const spans = groups.split('&').map((cell) => Number(/multicolumn\{(\d)\}/.exec(cell)?.[1] ?? 1));
    expect(spans.reduce((sum, span) => sum + span, 0)).toBe(columns[0]);
    // One rule between the hosts, one before the rows without a host.
    expect(made.latex.match(/\\midrule/g)).toHaveLength(3);
    expect(made.latex).toContain('$\\pm$');
    expect(made.latex).not.toMatch(/[−±×–\u00a0]/);
  });

  it('has the same content as Markdown', () => {
    expect(made.markdown).toContain('![Learning curves](figures/learning-curves.png)');
    expect(made.markdown).toContain('```bash\nlocalgrad sweep run synthetic.yaml');
    expect(made.markdown).toMatch(/\| DGL \+ MLAAN, K = 4 \| DGL \| MLAAN \| 4 \| \d\d\.\d\d ± /);
  });

  it('yields equal bytes for equal studies', async () => {
    const again = await report(syntheticStudy({ modules: [4] }), { planFigures: [plan, plan] });
    // Links to runs are relative to the report.
    const plain = ({ html, folder }: typeof made) => html.replaceAll(folder, '');
    expect(plain(again)).toBe(plain(made));
    for (const [index, file] of again.files.figures.entries()) {
      expect((await readFile(file)).equals(await readFile(made.files.figures[index] as string))).toBe(true);
    }
  });
});

it('escapes texts of the study in every format', async () => {
  const study = small();
  const name = '<b>A_1 & "50%" | `x`</b>';
  const { html, markdown, latex, results } = await report({
    ...study,
    title: 'T <i>',
    conditions: study.conditions.map((condition, index) => (index === 0 ? { ...condition, name } : condition)),
  });
  expect(html).not.toMatch(/<b>|<i>/);
  expect(html).toContain('&lt;b>A_1 &amp; &quot;50%&quot; | `x`&lt;/b>');
  expect(markdown).toContain('&lt;b&gt;A\\_1 &amp; "50%" \\| \\`x\\`&lt;/b&gt;');
  expect(latex).toContain('\\textless{}b\\textgreater{}A\\_1 \\& \\textquotedbl{}50\\%\\textquotedbl{} \\textbar{}');
  expect(results).toContain('"<b>A_1 & ""50%"" | `x`</b>"');
});

it('reports an average effect that no single setting shows', async () => {
  // Equal differences in all settings, with noise that all conditions of a seed share.
  const study = withRuns(syntheticStudy({ hosts: ['DGL', 'InfoPro'], modules: [4, 8] }), ({ seed, summary }) => ({
    testAccuracy: 0.7 + 0.1 * (seed - 2) + (String(summary.config.method).startsWith('mlm') ? 0.02 + 0.001 * seed : 0),
  }));
  const { html } = await report(study);
  expect(html).toContain('MLM helps on average over 4 settings, though no single one shows it, compared with none');
  expect(html).toContain('LAM against none, all else equal: not tested');
});

describe('incomplete studies', () => {
  it('state that one seed has no interval and no test', async () => {
    const { html, results } = await report(syntheticStudy({ hosts: ['DGL'], modules: [4], epochs: 3, seeds: 1 }));
    expect(html).toContain('with one run. Without an interval');
    expect(html).toContain('not tested, which takes two runs on each side and results that vary between seeds.');
    expect(html).toContain(
      'From the lowest cost to the highest; no difference is tested, which takes several runs per condition.',
    );
    expect(html).not.toContain('significantly less accurate than one');
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(results).not.toMatch(/NaN|undefined/);
  });

  it('omit the parts of a missing comparison rule, reference and probes', async () => {
    const { html, files } = await report(
      withRuns({ ...small(), compare: null, reference: null }, () => ({ probes: null })),
    );
    expect(html).not.toMatch(/Holm’s|p \(Holm\)<\/th>|Linear separability|all else equal|NaN|undefined/);
    expect(files.figures).toHaveLength(8);
  });

  it('show only costs without a test set', async () => {
    const { html, files } = await report(
      withRuns(small(), ({ summary }) => ({
        testAccuracy: null,
        bestTestAccuracy: null,
        probes: null,
        epochs: summary.epochs.map(({ testAccuracy: _, testLoss: __, ...record }) => record),
      })),
    );
    expect(html).toContain('only costs can be compared');
    expect(files.figures.map((file) => file.split('/').at(-1))).toEqual(['module-losses.svg', 'module-losses.png']);
    expect(html).not.toMatch(/NaN|undefined/);
  });

  it('state that no run has finished, and remove figures of an earlier report', async () => {
    const study = small();
    const folder = await mkdtemp(join(tmpdir(), 'localgrad-report-'));
    await writeReport(study, folder);
    const unrun = { ...study, conditions: study.conditions.map((condition) => ({ ...condition, runs: [] })) };
    const { html, figures } = await writeReport(unrun, folder);
    expect(await readFile(html, 'utf8')).toContain('No run has finished yet; 18 runs planned.');
    expect(figures).toEqual([]);
    expect(await readdir(join(folder, 'figures'))).toEqual([]);
  });

  it('count a missing run in findings, table and runs', async () => {
    const study = small();
    const [first, ...others] = study.conditions;
    const { html, markdown } = await report({
      ...study,
      conditions: [{ ...(first as Study['conditions'][number]), runs: first?.runs.slice(1) ?? [] }, ...others],
    });
    expect(html).toContain('17 of 18 runs have finished');
    expect(html).toContain('2 to 3 per condition');
    expect(html).toContain('<td>2 of 3</td>');
    expect(markdown).toContain('2 of 3');
  });
});
