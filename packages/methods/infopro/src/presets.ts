import { LocalgradError, unknownName } from '@localgrad/core';

/** Weights of the first and last local module; those in between are interpolated. Named like InfoPro's flags. */
export interface InfoProWeights {
  /** λ1 of module 0: reconstruction of the input. */
  readonly ixx1: number;
  /** λ2 of module 0: classification. */
  readonly ixy1: number;
  /** λ1 of module K − 2. */
  readonly ixx2: number;
  /** λ2 of module K − 2. */
  readonly ixy2: number;
}

type Row = readonly [ixx1: number, ixy1: number, ixx2: number, ixy2: number];

/** Weights from InfoPro's scripts for contrastive 1c2f heads (docs/methods/infopro.md §3), by number of modules. */
const rows: Readonly<Record<string, Readonly<Record<number, Row>>>> = {
  'cifar10-resnet32': { 2: [5, 1, 0, 0], 4: [6, 0, 1, 2], 8: [5, 0, 0, 2], 16: [5, 0.05, 0.2, 0.5] },
  'cifar10-resnet110': { 2: [5, 0.5, 0, 0], 4: [1, 0, 0, 1], 8: [5, 0, 0, 1], 16: [5, 0, 0.5, 1] },
  'cifar10-resnet110-balanced': { 2: [5, 0.1, 0, 0], 3: [5, 0, 5, 0.1], 4: [5, 0, 5, 0.1] },
  'stl10-resnet110': { 2: [10, 1, 0, 0], 4: [20, 0.2, 5, 2], 8: [20, 0.2, 5, 1], 16: [20, 0.5, 10, 0.1] },
  'stl10-resnet110-balanced': { 2: [20, 1, 0, 0], 3: [20, 0.5, 5, 2], 4: [20, 0.5, 10, 1] },
  'svhn-resnet110': { 2: [1, 0.1, 0, 0], 4: [5, 0, 0.5, 1], 8: [5, 0, 0.5, 2], 16: [5, 0.2, 0.5, 1] },
};

export const presetNames: readonly string[] = Object.keys(rows);

/** @throws LocalgradError `unknown-name`; `invalid-option` when the preset has no weights for this number of modules */
export function presetWeights(name: string, modules: number): InfoProWeights {
  const table = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (table === undefined) throw unknownName('InfoPro preset', name, presetNames);
  const row = table[modules];
  if (row === undefined) {
    throw new LocalgradError(
      'invalid-option',
      `infopro: preset '${name}' has no weights for ${modules} modules; it has them for ${Object.keys(table).join(', ')}. Pass ixx1, ixy1, ixx2 and ixy2 instead.`,
      { preset: name, modules, known: Object.keys(table).map(Number) },
    );
  }
  const [ixx1, ixy1, ixx2, ixy2] = row;
  return { ixx1, ixy1, ixx2, ixy2 };
}
