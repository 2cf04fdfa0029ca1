// Figures of docs/images/plans, drawn from plans. Update them with: npx vitest run tests/docs/figures.test.ts --update
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { barChart, chartFrame, explanationSvg, renderSvg } from '@localgrad/report';
import { type Explanation, explain } from '@localgrad/runs';
import { formatBytes } from '@localgrad/train';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../docs/images/plans');

/** Figures by file name, each of the plan of one method. */
const methods = {
  backprop: 'backprop',
  greedy: 'greedy',
  dgl: 'dgl',
  infopro: 'infopro',
  auglocal: 'auglocal',
  hpff: 'hpff',
  predsim: 'predsim',
  'mono-forward': 'mono-forward',
  dni: 'dni',
  mlm: 'mlm(dgl)',
  lam: 'lam(dgl)',
  man: 'man(dgl)',
  sequential: 'sequential(dgl)',
  'deep-supervision': 'deep-supervision(dgl, after: 1)',
  mlaan: 'mlaan(dgl)',
  'lean-mlaan': 'lean-mlaan(dgl)',
} as const;

const explainMethod = (method: string, memory: 'residuals' | 'recompute' = 'residuals'): Promise<Explanation> =>
  explain({
    ...{ method, memory, backbone: 'resnet14', modules: 4, partition: 'even', seed: 1 },
    ...{ batch: 64, image: [32, 32, 3], classes: 10 },
  });

it.each(Object.entries(methods))('%s.svg is the plan of %s', { timeout: 60_000 }, async (name, method) => {
  await expect(explanationSvg(await explainMethod(method))).toMatchFileSnapshot(join(folder, `${name}.svg`));
});

it('costs.svg shows the predicted costs of the plans', { timeout: 60_000 }, async () => {
  const shown = ['backprop', 'greedy', 'dgl', 'mlm(dgl)', 'lam(dgl)', 'mlaan(dgl)'];
  const rows = [
    ...(await Promise.all(shown.map(async (method) => ({ name: method, explanation: await explainMethod(method) })))),
    { name: 'backprop, recomputed', explanation: await explainMethod('backprop', 'recompute') },
  ];
  const bars = (title: string, subtitle: string, measure: (explanation: Explanation) => readonly [number, string]) =>
    barChart({
      title,
      subtitle,
      bars: rows.map(({ name, explanation }) => {
        const [value, text] = measure(explanation);
        return { name, value, text, color: name.startsWith('backprop') ? 0 : 2 };
      }),
    });
  const chart = chartFrame({
    title: 'Predicted cost of a training step',
    subtitle: 'ResNet-14 in 4 modules, batch 64, 32×32 images',
    parts: [
      bars('Peak memory', 'with weights, optimizer state and the batch', ({ totals }) => [
        totals.predictedPeakBytes,
        formatBytes(totals.predictedPeakBytes),
      ]),
      bars('Work', 'forward passes of the network', ({ totals }) => [
        totals.unitsOfWork,
        totals.unitsOfWork.toFixed(1),
      ]),
    ],
  });
  await expect(await renderSvg(chart)).toMatchFileSnapshot(join(folder, 'costs.svg'));
});

it('draws every figure of the folder', () => {
  const drawn = readdirSync(folder).map((name) => basename(name, '.svg'));
  expect(drawn.sort()).toEqual([...Object.keys(methods), 'costs'].sort());
});
