export { colourOf, darkTheme, ink, lightTheme, mutedInk, pageColourOf, paper, withPageColours } from './palette.js';
export { pngOf } from './png.js';
export { type ChartSpec, fontFamily, renderSvg, withOwnIds } from './svg.js';
