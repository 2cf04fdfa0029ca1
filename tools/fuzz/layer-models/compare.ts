import type { Tensor } from '@tensorflow/tfjs';

/**
 * Requires equal values up to rounding.
 *
 * @param near `expected` for inputs that differ from the real ones by rounding: where that changes much, no more can be expected
 * @throws Error
 */
export async function requireClose(what: string, found: Tensor, expected: Tensor, near = expected): Promise<void> {
  if (found.size !== expected.size) throw new Error(`${what} has ${found.size} values instead of ${expected.size}.`);
  const [values, references, others] = await Promise.all([found.data(), expected.data(), near.data()]);
  let [scale, noise] = [1, 0];
  for (const [index, reference] of references.entries()) {
    scale = Math.max(scale, Math.abs(reference));
    noise = Math.max(noise, Math.abs(reference - (others[index] ?? reference)));
  }
  const tolerance = 1e-4 * scale + 30 * noise;
  for (const [index, value] of values.entries()) {
    const reference = references[index] ?? Number.NaN;
    if (Object.is(value, reference) || Math.abs(value - reference) <= tolerance) continue;
    throw new Error(`${what}: ${value} instead of ${reference} at ${index}; tolerance: ${tolerance}.`);
  }
}
