/** Bits after the point of quotients. */
const precision = 12;

/** Rounded quotients 255 / i and 30 / i in integers. */
const quotients = (numerator: number) =>
  Int32Array.from({ length: 256 }, (_, index) => (index === 0 ? 0 : Math.round((numerator << precision) / index)));
const saturationQuotients = quotients(255);
const hueQuotients = quotients(30);

/** Hues in sectors of 60°, and bytes in [0, 1], in single precision. */
const sectors = Float32Array.from({ length: 180 }, (_, hue) => hue * Math.fround(1 / 30));
const fractions = Float32Array.from({ length: 256 }, (_, byte) => byte * Math.fround(1 / 255));

/**
 * Converts each pixel to hue (0 to 179), saturation and value, replaces hue and saturation by those in tables, and converts
 * it back: the arithmetic of OpenCV on bytes. Its vectorized conversion to colors truncates, while the rest of a row that does
 * not fill its vectors is rounded; here all pixels are truncated.
 *
 * @param bytes red, green and blue of each pixel, changed in place
 * @param hues 180 numbers
 * @param saturations 256 numbers
 */
export function mapHsv(bytes: Uint8Array, hues: Uint8Array, saturations: Uint8Array): void {
  const { fround } = Math;
  for (let at = 0; at < bytes.length; at += 3) {
    const red = bytes[at] as number;
    const green = bytes[at + 1] as number;
    const blue = bytes[at + 2] as number;
    const most = Math.max(red, green, blue);
    const range = most - Math.min(red, green, blue);
    const sixths = most === red ? green - blue : most === green ? blue - red + 2 * range : red - green + 4 * range;
    const angle = round(sixths * (hueQuotients[range] as number));
    const hue = hues[angle < 0 ? angle + 180 : angle] as number;
    const saturation = saturations[round(range * (saturationQuotients[most] as number))] as number;

    const position = sectors[hue] as number;
    const sector = Math.floor(position);
    const within = fround(position - sector);
    const value = fractions[most] as number;
    const share = fractions[saturation] as number;
    // Of the two smaller primaries, the smallest is `low`, and the other one rises or falls with the hue.
    const low = level(value, share);
    const middle = level(value, fround(share * (sector % 2 === 0 ? fround(1 - within) : within)));
    const high = fround(value * 255);
    bytes[at] = sector === 0 || sector === 5 ? high : sector === 1 || sector === 4 ? middle : low;
    bytes[at + 1] = sector === 1 || sector === 2 ? high : sector === 0 || sector === 3 ? middle : low;
    bytes[at + 2] = sector === 3 || sector === 4 ? high : sector === 2 || sector === 5 ? middle : low;
  }
}

/** The integer of a number with `precision` bits after the point. */
function round(value: number): number {
  return (value + (1 << (precision - 1))) >> precision;
}

/** A primary that a fraction of the value is missing from. */
function level(value: number, missing: number): number {
  return Math.fround(Math.fround(value * Math.fround(1 - missing)) * 255);
}
