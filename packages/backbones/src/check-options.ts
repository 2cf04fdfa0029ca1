import { formatShape, type JsonObject, LocalgradError, requireOption, type Shape3 } from '@localgrad/core';

/** Upper limits: larger networks do not fit on any machine, so larger values are typos or come from a corrupt file. */
export const deepest = 2000;
export const widest = 16_384;

/** @throws LocalgradError `invalid-option` unless the value is an integer from 1 to `most` */
export function requireCount(where: string, option: string, value: number, most: number = widest): void {
  const isCount = Number.isInteger(value) && value >= 1 && value <= most;
  requireOption(isCount, where, option, value, `integers from 1 to ${most}`);
}

/** The entries that differ from their defaults, for a config. */
export function differing(options: JsonObject, defaults: JsonObject): JsonObject {
  const entries = Object.entries(options);
  return Object.fromEntries(entries.filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key])));
}

/** @throws LocalgradError `shape-mismatch` for images on which a network's pooling leaves nothing */
export function requireImages(name: string, inputShape: Shape3, smallest: number): void {
  const [height, width] = inputShape;
  if (Math.min(height, width) >= smallest) return;
  throw new LocalgradError(
    'shape-mismatch',
    `Backbone '${name}' is for images of at least ${smallest}×${smallest} pixels; these are ${formatShape(inputShape)}. Enlarge them, or choose another backbone.`,
    { backbone: name, inputShape, smallest },
  );
}
