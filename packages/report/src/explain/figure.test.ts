import type { Shape3 } from '@localgrad/core';
import { explain, runConfigSchema } from '@localgrad/runs';
import { describe, expect, it } from 'vitest';
import { pngOf } from '../charts/png.js';
import { textWidth } from '../theme/markup.js';
import { explanationSvg } from './figure.js';
import { layOut } from './layout.js';

const image: Shape3 = [16, 16, 3];
const explainRun = (flags: object) => explain({ ...runConfigSchema.parse(flags), image, classes: 10 });

describe('the figure', () => {
  it.each([
    ['resnet8', 2, 'mlaan(dgl)'],
    ['resnet14', 3, 'mlaan(dgl, chain: ema)'],
    ['resnet14', 7, 'lam(mlm(dgl, window: 3), on: all, emaBlocks: all)'],
    ['resnet32', 16, 'mlaan(infopro, variant: officialCode)'],
    ['resnet110', 55, 'mlm(greedy, independentWeight: 0.5..0.001)'],
    ['resnet110', 55, 'mlaan(greedy)'],
    ['resnet32', 8, 'backprop'],
  ])('has no overlapping parts for %s in %i modules with %s', async (backbone, modules, method) => {
    const explanation = await explainRun({ backbone, modules, method, width: 2, batch: 2 });
    const { columns, columnWidth, hasUprightNames, rows, heads, classifier, width, height, network } = layOut(
      explanation,
      0,
    );
    for (const [index, { left, right, label }] of columns.entries()) {
      expect(right - left).toBe(columnWidth);
      if (index > 0) expect(left).toBe(columns[index - 1]?.right);
      if (!hasUprightNames) expect(textWidth(label, 10)).toBeLessThan(columnWidth);
    }
    const lanes = rows.flatMap((row) => row.lanes);
    expect(lanes.map(({ objective }) => objective.id).sort()).toEqual(
      explanation.objectives.map(({ id }) => id).sort(),
    );
    let above = network.bottom;
    for (const { y, chainY } of lanes) {
      expect(y - above).toBeGreaterThanOrEqual(18);
      above = chainY;
    }
    expect(classifier.right).toBeLessThan(heads.left);
    expect(heads.weightsRight).toBeLessThan(width);
    expect(above).toBeLessThan(height);
    const svg = explanationSvg(explanation);
    // The renderer rejects malformed XML.
    expect((await pngOf(svg)).byteLength).toBeGreaterThan(1000);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.match(/>L<\/text>/g)?.length).toBe(lanes.length + 1);
  });

  it('draws a chain that returns to earlier blocks on a separate line', async () => {
    const explanation = await explainRun({
      backbone: 'resnet14',
      modules: 7,
      method: 'mlaan(dgl)',
      width: 2,
      batch: 2,
    });
    const back = {
      ...explanation,
      objectives: explanation.objectives.map((objective) =>
        objective.id === 'module2.cascaded' && objective.chain !== undefined
          ? {
              ...objective,
              chain: {
                ...objective.chain,
                blocks: objective.chain.blocks.map((block) => ({ ...block, reference: [1, 0] as const })),
              },
            }
          : objective,
      ),
    };
    const lane = layOut(back, 0).rows[2]?.lanes[1];
    expect(lane?.objective.id).toBe('module2.cascaded');
    expect((lane?.chainY ?? 0) - (lane?.y ?? 0)).toBe(18);
    expect(explanationSvg(back)).not.toMatch(/NaN/);
  });

  it('escapes markup and control characters in names', async () => {
    const explanation = await explainRun({ backbone: 'resnet8', modules: 2, width: 2, batch: 2 });
    const svg = explanationSvg({ ...explanation, expression: 'own<&">\u001b' });
    expect(svg.match(/own&lt;&amp;&quot;&gt;\ufffd on resnet8/g)).toHaveLength(2);
    expect((await pngOf(svg)).byteLength).toBeGreaterThan(1000);
  });
});
