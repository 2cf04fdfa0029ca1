import type { Shape3 } from '@localgrad/core';

/**
 * The feature map of a tensor with one to three axes besides the batch: [c] is 1×1×c, [t, c] is t×1×c. Both have the
 * same values in the same order. Undefined for other tensors.
 */
export function canonicalShape(shape: readonly number[]): Shape3 | undefined {
  const [first, second, third, ...others] = shape;
  if (first === undefined || others.length > 0) return undefined;
  if (second === undefined) return [1, 1, first];
  return third === undefined ? [first, 1, second] : [first, second, third];
}
