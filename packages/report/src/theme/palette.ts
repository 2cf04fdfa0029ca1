/** Font of all drawings. */
export const fontFamily = 'DejaVu Sans';

/**
 * Series colors on a light background. Their contrast is at least 4.5:1, so that labels can use them; `palette.test.ts`
 * checks that they differ for color-blind readers.
 */
const onLight = ['#5a6b84', '#b85614', '#1b6fa5', '#9420d8', '#1d7a57', '#5c1034'] as const;
/** The same series on a dark background. */
const onDark = ['#9fb0c7', '#f0935a', '#5fb3e6', '#c567f5', '#5cc79b', '#f2dc5c'] as const;

/** Colors of series by theme. */
export const seriesColors = { light: onLight, dark: onDark } as const;

/** Color of a series in a drawing. */
export function colorOf(index: number): string {
  return onLight[index % onLight.length] as string;
}

/** CSS variable of the page for the color of a series. */
export function pageColorOf(index: number): string {
  return `var(--series-${index % onLight.length})`;
}

/** Colors in drawings. The page replaces them with its variables, so that drawings follow a dark theme. */
export const ink = '#1b2430';
export const mutedInk = '#5b6675';
export const rule = '#dfe4ea';
export const paper = '#ffffff';

/** CSS declarations of the page colors, by theme. */
export const lightTheme = declare({ ink, muted: mutedInk, rule, paper, ground: '#f4f6f8', accent: '#1b6fa5' }, onLight);
export const darkTheme = declare(
  { ink: '#e8edf3', muted: '#a3afbd', rule: '#2e3947', paper: '#161d27', ground: '#0e141c', accent: '#6cb8e6' },
  onDark,
);

function declare(colors: Readonly<Record<string, string>>, series: readonly string[]): string {
  return [...Object.entries(colors), ...series.map((color, index) => [`series-${index}`, color])]
    .map(([name, value]) => `--${name}: ${value};`)
    .join(' ');
}

/** Makes an SVG use the colors of the page that contains it. */
export function withPageColors(svg: string): string {
  const names: [string, string][] = [
    [ink, 'ink'],
    [mutedInk, 'muted'],
    [rule, 'rule'],
    [paper, 'paper'],
    ...onLight.map((color, index): [string, string] => [color, `series-${index}`]),
  ];
  return names.reduce((text, [color, name]) => text.replaceAll(color, `var(--${name})`), svg);
}
