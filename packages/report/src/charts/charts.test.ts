import { describe, expect, it } from 'vitest';
import { colorOf } from '../theme/palette.js';
import { barChart } from './bar-chart.js';
import { renderSvg } from './chart.js';
import { chartFrame } from './frame.js';
import { pngOf } from './png.js';
import { seriesChart } from './series-chart.js';

const points = [1, 2, 3].flatMap((x) => ['one', 'two'].map((name) => ({ name, x, y: x * name.length })));

describe('barChart', () => {
  const bars = [
    { name: 'same', value: 2, text: '2 MiB' },
    { name: 'same', value: 0, text: 'none', color: 4 },
    { name: '<b> & "x"', value: 1, text: '1 MiB' },
  ];

  it('draws every bar with its name, text and color, even if names are equal', async () => {
    const svg = await renderSvg(barChart({ title: 'Memory', subtitle: 'less is better', bars }));
    expect(svg.match(/>same</g)).toHaveLength(2);
    expect(svg).toContain('&lt;b&gt; &amp; "x"');
    for (const text of ['2 MiB', 'none', '1 MiB', 'Memory', 'less is better']) expect(svg).toContain(`>${text}<`);
    for (const color of [colorOf(0), colorOf(4), colorOf(2)]) expect(svg).toContain(color);
    expect(svg).not.toMatch(/NaN|undefined/);
  });

  it('omits the names on request', async () => {
    const svg = await renderSvg(barChart({ title: 'Memory', subtitle: '', bars, hasNames: false }));
    expect(svg).not.toContain('>same<');
  });
});

describe('seriesChart', () => {
  it('shows a limit and a legend on request', async () => {
    const options = { title: 'T', subtitle: 's', x: 'batch', height: 200, names: ['one', 'two'], lines: points };
    expect(await renderSvg(seriesChart(options))).not.toContain('stroke-dasharray="5,4"');
    const svg = await renderSvg(seriesChart({ ...options, limit: 4, hasLegend: true, yDomain: [0, 10] }));
    expect(svg).toContain('stroke-dasharray="5,4"');
    expect(svg).toContain('>two<');
  });
});

describe('chartFrame', () => {
  it('combines charts in one drawing that renders as PNG, even with control characters in labels', async () => {
    const bar = barChart({
      title: 'A\u001b[31m',
      subtitle: '\u0000',
      bars: [{ name: '\u0007', value: 1, text: '\ud800' }],
    });
    const svg = await renderSvg(chartFrame({ title: 'Frame', subtitle: 'of two', parts: [bar, bar] }));
    expect(svg.match(/\ufffd\[31m/g)?.length).toBeGreaterThanOrEqual(2);
    expect((await pngOf(svg)).byteLength).toBeGreaterThan(1000);
  });
});
