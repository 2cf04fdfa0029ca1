import { LocalgradError } from '@localgrad/core';

type Sharp = typeof import('sharp')['default'];

/** The decoder, an optional peer. @throws LocalgradError `missing-dependency` */
export async function loadSharp(): Promise<Sharp> {
  try {
    const { default: sharp } = await import('sharp');
    return sharp;
  } catch (error) {
    throw new LocalgradError(
      'missing-dependency',
      'Decoding JPEG and PNG images needs the package sharp: npm install sharp.',
      { package: 'sharp' },
      { cause: error },
    );
  }
}
