import { printable } from '../text/printable.js';
import { fontFamily, ink, mutedInk, rule } from '../theme/palette.js';

const config = {
  font: `${fontFamily}, Verdana, sans-serif`,
  background: 'transparent',
  view: { stroke: null },
  axis: {
    labelColor: mutedInk,
    titleColor: mutedInk,
    gridColor: rule,
    domain: false,
    ticks: false,
    labelPadding: 8,
    titlePadding: 10,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
  },
  legend: { labelColor: ink, titleColor: mutedInk, labelFontSize: 12 },
  title: {
    color: ink,
    subtitleColor: mutedInk,
    fontSize: 14,
    subtitleFontSize: 12,
    anchor: 'start',
    offset: 14,
    subtitlePadding: 5,
  },
} as const;

/** A Vega-Lite specification or a part of one. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** Renders a Vega-Lite specification. Equal specifications yield equal bytes. */
export async function renderSvg(spec: ChartSpec): Promise<string> {
  // Loaded on first use: programs that draw nothing should not wait for it.
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec: compiled } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config,
    ...spec,
  } as unknown as Parameters<typeof compile>[0]);
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  // IDs are counted per process: nothing else may draw between this line and `toSVG`.
  await view.runAsync();
  vega.resetSVGDefIds();
  const svg = await view.toSVG();
  view.finalize();
  return printable(svg);
}
