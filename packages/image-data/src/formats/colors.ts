import type { Pixels } from '../pixels.js';

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

/** Contribution of a chroma value, times 64, in the arithmetic of PIL. */
function chromaTable(weight: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, chroma) => Math.trunc((chroma - 128) * weight * 64 + 0.5));
}

const redOfCr = chromaTable(1.402);
const greenOfCb = chromaTable(-0.34414);
const greenOfCr = chromaTable(-0.71414);
const blueOfCb = chromaTable(1.772);

/** Colors of luma and two chroma channels (YCbCr of JFIF), as in PIL's `convert('RGB')`. */
export function colorsOfLuma({ height, width, bytes }: Pixels): Pixels {
  const colors = new Uint8ClampedArray(3 * height * width);
  for (let at = 0; at < colors.length; at += 3) {
    const [luma = 0, cb = 0, cr = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    colors[at] = luma + ((redOfCr[cr] ?? 0) >> 6);
    colors[at + 1] = luma + (((greenOfCb[cb] ?? 0) + (greenOfCr[cr] ?? 0)) >> 6);
    colors[at + 2] = luma + ((blueOfCb[cb] ?? 0) >> 6);
  }
  return { height, width, channels: 3, bytes: new Uint8Array(colors.buffer) };
}

/** Grays of 16 bits, scaled to 8: 65,535 becomes 255. PIL makes all above 255 white. */
export function grayOf16Bits(image: Omit<Pixels, 'bytes'> & { readonly values: Uint16Array }): Pixels {
  const { height, width, values } = image;
  return { height, width, channels: 1, bytes: Uint8Array.from(values, (value) => Math.round(value / 257)) };
}
