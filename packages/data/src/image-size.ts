import { requireOption } from '@localgrad/core';

/** Height and width of images in pixels; one number for squares. */
export type ImageSize = number | readonly [height: number, width: number];

export function sidesOf(size: ImageSize): readonly [height: number, width: number] {
  return typeof size === 'number' ? [size, size] : size;
}

/**
 * Checks an option that is a size.
 *
 * @param most largest height and width; default: no limit
 * @throws LocalgradError `invalid-option`
 */
export function requireSize(where: string, option: string, size: ImageSize, most = Number.POSITIVE_INFINITY): void {
  const isSide = (side: unknown) => Number.isInteger(side) && Number(side) >= 1 && Number(side) <= most;
  const isSize = Array.isArray(size) ? size.length === 2 && size.every(isSide) : isSide(size);
  const sides = Number.isFinite(most) ? `integers from 1 to ${most}` : 'integers ≥ 1';
  requireOption(isSize, where, option, size, `${sides}, or two of them (height, width)`);
}
