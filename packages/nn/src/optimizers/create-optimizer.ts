import { type JsonObject, type Optimizer, unknownName } from '@localgrad/core';
import { adam, adamw } from './adam.js';
import { clipped } from './clipped.js';
import { sgd } from './sgd.js';

// Each optimizer validates its own options.
const optimizers: Readonly<Record<string, (options: never) => Optimizer>> = { sgd, adam, adamw };

/** Names that `createOptimizer` accepts. */
export const optimizerNames: readonly string[] = Object.keys(optimizers);

/**
 * Creates an optimizer from its config, e.g. `{ optimizer: 'sgd', learningRate: 0.1 }`; with `clipNorm`, a clipped one.
 *
 * @throws LocalgradError
 */
export function createOptimizer(config: JsonObject): Optimizer {
  const { optimizer, clipNorm, ...options } = config;
  const name = String(optimizer);
  const create = Object.hasOwn(optimizers, name) ? optimizers[name] : undefined;
  if (create === undefined) throw unknownName('optimizer', name, optimizerNames);
  const created = create(options as never);
  // `clipped` rejects norms that are no numbers.
  return clipNorm === undefined ? created : clipped(created, { norm: clipNorm as number });
}
