/** Colours that keep a contrast of 3:1 on the page's light and dark ground, and differ for colour-blind eyes. */
const seriesColours = ['#64748b', '#e07b39', '#2b8cc4', '#8f6bc1', '#3a9d78'] as const;

export function colourOf(index: number): string {
  return seriesColours[index % seriesColours.length] as string;
}

/** Literal colours in figures, which the page replaces by its own, so that figures follow a dark theme. */
export const ink = '#1b2430';
export const mutedInk = '#5b6675';
export const rule = '#dfe4ea';
export const paper = '#ffffff';

/** Makes an SVG's text and rules take the colours of the page around it. */
export function withPageColours(svg: string): string {
  return svg
    .replaceAll(ink, 'var(--ink)')
    .replaceAll(mutedInk, 'var(--muted)')
    .replaceAll(rule, 'var(--rule)')
    .replaceAll(paper, 'var(--paper)');
}
