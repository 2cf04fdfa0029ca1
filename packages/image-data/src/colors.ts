import type { Pixels } from './pixels.js';

/** Colors of cyan, magenta, yellow and black, without profiles, as in PIL's `convert('RGB')`. */
export function colorsOfInk({ height, width, channels, bytes }: Pixels): Pixels {
  const pixels = height * width;
  const colors = new Uint8Array(3 * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = channels * pixel;
    const light = 255 - (bytes[at + 3] ?? 0);
    for (let channel = 0; channel < 3; channel++) {
      colors[3 * pixel + channel] = Math.max(0, light - productOf(bytes[at + channel] ?? 0, light));
    }
  }
  return { height, width, channels: 3, bytes: colors };
}

/** a · b / 255, rounded, in the integer arithmetic of PIL. */
function productOf(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** Luma of ITU-R 601-2, as in PIL's `convert('L')`. */
export function grayOf({ height, width, bytes }: Pixels): Pixels {
  const gray = new Uint8Array(height * width);
  for (let pixel = 0; pixel < gray.length; pixel++) {
    const [red = 0, green = 0, blue = 0] = [bytes[3 * pixel], bytes[3 * pixel + 1], bytes[3 * pixel + 2]];
    gray[pixel] = (19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16;
  }
  return { height, width, channels: 1, bytes: gray };
}
