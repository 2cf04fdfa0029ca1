import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fontFamily } from '../theme/palette.js';

/** Renders an SVG as PNG at twice its size, with bundled fonts: the same picture on every machine. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: 2 },
    font: {
      loadSystemFonts: false,
      fontFiles: [join(fonts, 'DejaVuSans.ttf'), join(fonts, 'DejaVuSans-Bold.ttf')],
      defaultFontFamily: fontFamily,
    },
  });
  return image.render().asPng();
}
