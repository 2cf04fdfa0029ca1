import type { Shape3, Targets } from '@localgrad/core';
import { concat, slice, type Tensor, type Tensor4D } from '@tensorflow/tfjs';

/** Rows and columns of a patch. */
export interface Patch {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** count × count patches in rows, split at ⌊i · size / count⌋. */
export function patchesOf([height, width]: readonly [number, number, ...unknown[]], count: number): Patch[] {
  const columns = rangesOf(width, count);
  return rangesOf(height, count).flatMap(([top, bottom]) =>
    columns.map(([left, right]) => ({ top, left, height: bottom - top, width: right - left })),
  );
}

function rangesOf(size: number, count: number): (readonly [start: number, end: number])[] {
  const boundary = (index: number) => Math.floor((index * size) / count);
  return Array.from({ length: count }, (_, index) => [boundary(index), boundary(index + 1)] as const);
}

/** Shape of a patch of a map. */
export function shapeOf({ height, width }: Patch, [, , channels]: Shape3): Shape3 {
  return [height, width, channels];
}

/** The part of a map or image [batch, height, width, …] in a patch; owned by the caller. */
export function crop<T extends Tensor>(whole: T, { top, left, height, width }: Patch): T {
  const [batch = 0, , , ...others] = whole.shape;
  const zeros = others.map(() => 0);
  return slice<Tensor['rankType'], T>(whole, [0, top, left, ...zeros], [batch, height, width, ...others]);
}

/**
 * Runs `use` with the targets of patch number `index`: of those in `names` that have height and width (images, masks), the
 * part in the patch; the others as they are.
 */
export function withPatchTargets<T>(
  targets: Targets,
  names: readonly string[],
  [index, count]: readonly [index: number, count: number],
  use: (targets: Targets) => T,
): T {
  const parts = names.flatMap((name): [string, Tensor][] => {
    const [, height, width] = targets[name]?.shape ?? [];
    const whole = targets[name];
    if (whole === undefined || height === undefined || width === undefined) return [];
    const patch = patchesOf([height, width], count)[index];
    return patch === undefined ? [] : [[name, crop(whole, patch)]];
  });
  const result = use({ ...targets, ...Object.fromEntries(parts) });
  for (const [, part] of parts) part.dispose();
  return result;
}

/** Puts patches together again. @param parts count × count maps in rows; consumed */
export function joinPatches(parts: readonly Tensor4D[], count: number): Tensor4D {
  const join = (maps: readonly Tensor4D[], axis: number): Tensor4D => {
    const [only] = maps;
    if (maps.length === 1 && only !== undefined) return only;
    const joined = concat<Tensor4D>([...maps], axis);
    for (const map of maps) map.dispose();
    return joined;
  };
  const rows = Array.from({ length: count }, (_, row) => join(parts.slice(row * count, (row + 1) * count), 2));
  return join(rows, 1);
}
