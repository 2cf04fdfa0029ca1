import { createRequire } from 'node:module';
import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';

/** Creates an image from encoded or raw content. */
export type SharpFactory = typeof import('sharp')['default'];

/** Loads the decoder, an optional peer. @throws LocalgradError `missing-dependency` */
export async function loadSharp(): Promise<SharpFactory> {
  try {
    return await importSharp();
  } catch (error) {
    throw new LocalgradError(
      'missing-dependency',
      'Decoding JPEG and PNG images needs the package sharp: npm install sharp.',
      { package: 'sharp' },
      { cause: error },
    );
  }
}

/** Resolves it from this package or, for a globally installed command, from the user's project. */
async function importSharp(): Promise<SharpFactory> {
  try {
    const { default: sharp } = await import('sharp');
    return sharp;
  } catch {
    const require = createRequire(join(process.cwd(), 'index.js'));
    const sharp: SharpFactory = require('sharp');
    return sharp;
  }
}
