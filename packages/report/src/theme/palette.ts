/**
 * Colours of series on light ground: 4.5:1 against it, so that names can be set in them. `palette.test.ts` holds them apart
 * for eyes that are blind for red, green or blue.
 */
const onLight = ['#5a6b84', '#b85614', '#1b6fa5', '#9420d8', '#1d7a57', '#5c1034'] as const;
/** The same series on dark ground. */
const onDark = ['#9fb0c7', '#f0935a', '#5fb3e6', '#c567f5', '#5cc79b', '#f2dc5c'] as const;

/** Colours of series by theme. */
export const seriesColours = { light: onLight, dark: onDark } as const;

/** Literal colour of a series in a figure. */
export function colourOf(index: number): string {
  return onLight[index % onLight.length] as string;
}

/** The page's name for the colour of a series. */
export function pageColourOf(index: number): string {
  return `var(--series-${index % onLight.length})`;
}

/** Literal colours in figures, which the page replaces by its own, so that figures follow a dark theme. */
export const ink = '#1b2430';
export const mutedInk = '#5b6675';
export const rule = '#dfe4ea';
export const paper = '#ffffff';

/** Declarations of the page's colours, by theme. */
export const lightTheme = declare({ ink, muted: mutedInk, rule, paper, ground: '#f4f6f8', accent: '#1b6fa5' }, onLight);
export const darkTheme = declare(
  { ink: '#e8edf3', muted: '#a3afbd', rule: '#2e3947', paper: '#161d27', ground: '#0e141c', accent: '#6cb8e6' },
  onDark,
);

function declare(colours: Readonly<Record<string, string>>, series: readonly string[]): string {
  return [...Object.entries(colours), ...series.map((colour, index) => [`series-${index}`, colour])]
    .map(([name, value]) => `--${name}: ${value};`)
    .join(' ');
}

/** Makes an SVG take the colours of the page around it. */
export function withPageColours(svg: string): string {
  const names: [string, string][] = [
    [ink, 'ink'],
    [mutedInk, 'muted'],
    [rule, 'rule'],
    [paper, 'paper'],
    ...onLight.map((colour, index): [string, string] => [colour, `series-${index}`]),
  ];
  return names.reduce((text, [colour, name]) => text.replaceAll(colour, `var(--${name})`), svg);
}
