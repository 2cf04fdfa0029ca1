import { type BackboneFactory, rejectUnknownKeys, unknownName } from '@localgrad/core';
import { families, type NamedBackboneOptions } from './families.js';

export type { NamedBackboneOptions } from './families.js';

/** Describes the backbones of a kind by name, for lists and help. */
export interface NamedBackbones {
  readonly names: readonly string[];
  /** The kind also has other names of this form. */
  readonly pattern: RegExp;
  /** One line. */
  readonly description: string;
  /** Names of the options. */
  readonly options: readonly string[];
}

/** The kinds of backbones of `backboneFactory`. */
export const namedBackbones: readonly NamedBackbones[] = families.map(({ names, pattern, description, options }) => ({
  names,
  pattern,
  description,
  options,
}));

/** Names accepted by `backboneFactory`, in addition to others of the same forms (`resnet<6n+2>`, `wide-resnet-40-4`). */
export const backboneNames: readonly string[] = families.flatMap(({ names }) => names);

/** Creates a backbone factory by name, e.g. `resnet32` or `vgg13`. @throws LocalgradError `unknown-name`, `invalid-option` */
export function backboneFactory(name: string, options: NamedBackboneOptions = {}): BackboneFactory {
  for (const { pattern, where, options: allowed, create } of families) {
    const match = pattern.exec(name);
    if (match === null) continue;
    rejectUnknownKeys(where, options, allowed);
    return create(options, match.slice(1).map(Number), name);
  }
  throw unknownName('backbone', name, backboneNames);
}
