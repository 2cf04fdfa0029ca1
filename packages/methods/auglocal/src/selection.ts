/**
 * Number of layers of a module's auxiliary network (docs/methods/auglocal.md §2): decreases linearly from `depth` at
 * module 0 by the fraction `pyramid` at the last local module; at least 1.
 *
 * @param module from 0
 * @param localModules number of modules with an auxiliary network
 */
export function auxiliaryDepth(module: number, localModules: number, depth: number, pyramid: number): number {
  const steps = localModules - 1;
  const share = steps > 0 ? (module * pyramid) / steps : 0;
  return Math.max(1, roundHalfEven(depth * (1 - share) + share));
}

/**
 * Indices of the layers that an auxiliary network imitates: `depth` layers, evenly spaced between the module's last
 * layer and the network's last one, which is always selected; all of them if there are no more than `depth`.
 *
 * @param layer index of the module's last layer
 * @param layers number of layers of the network, the stem included
 */
export function selectLayers(layer: number, layers: number, depth: number): readonly number[] {
  const left = layers - 1 - layer;
  if (depth >= left) return Array.from({ length: left }, (_, index) => layer + 1 + index);
  return Array.from({ length: depth }, (_, index) => roundHalfEven(layer + (left / depth) * (index + 1)));
}

/** Rounds halves to the even neighbor, as Python's `round` does. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
