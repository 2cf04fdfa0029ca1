import { ink, mutedInk, rule } from './palette.js';

export const fontFamily = 'DejaVu Sans';

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

/** A Vega-Lite specification, or a part of one. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** Renders a Vega-Lite specification. The same specification gives the same bytes. */
export async function renderSvg(spec: ChartSpec): Promise<string> {
  // Loaded when something is drawn: commands that draw nothing should not wait for it.
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const { spec: compiled } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    config,
    ...spec,
  } as unknown as Parameters<typeof compile>[0]);
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  // Ids count up over the whole process. Nothing may draw between this line and the string.
  await view.runAsync();
  vega.resetSVGDefIds();
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

/** Figures on one page must not share ids: clip paths of one would cut another, titles of one would name another. */
export function withOwnIds(svg: string, prefix: string): string {
  return svg
    .replaceAll(/ id="([^"]+)"/g, ` id="${prefix}$1"`)
    .replaceAll(/url\(#([^)]+)\)/g, `url(#${prefix}$1)`)
    .replaceAll(/ (xlink:)?href="#([^"]+)"/g, ` $1href="#${prefix}$2"`)
    .replaceAll(
      / (aria-labelledby|aria-describedby)="([^"]+)"/g,
      (_, name: string, ids: string) =>
        ` ${name}="${ids
          .split(/\s+/)
          .map((id) => prefix + id)
          .join(' ')}"`,
    );
}

/**
 * Gives a drawing a title and a description, which screen readers say in its place. Roles of its parts are removed: vega
 * gives them to groups without a name.
 */
export function withDescription(svg: string, title: string, description: string): string {
  const words = `<title id="title">${escapeXml(title)}</title><desc id="description">${escapeXml(description)}</desc>`;
  const unnamed = svg.replaceAll(/<[a-z][^>]*>/gi, (tag) => tag.replaceAll(/ (role|aria-[a-z]+)="[^"]*"/g, ''));
  return unnamed
    .replace(/<svg[^>]*/, (tag) => `${tag} role="img" aria-labelledby="title description"`)
    .replace('>', () => `>${words}`);
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
