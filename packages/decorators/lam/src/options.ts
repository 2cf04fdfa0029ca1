import { type BlockReference, rejectUnknownKeys, requireOption } from '@localgrad/core';

/** Which heads get a chain; the classifier never does. */
export type LamTarget = 'cascaded' | 'independent' | 'all';

export interface LamOptions {
  /** Default: `cascaded` where the host has cascaded losses (MLAAN's code), else `independent`. */
  readonly on?: LamTarget;
  /** Share of the old value that an average keeps in each step, in [0, 1]. Default 0.995. */
  readonly momentum?: number;
  /** Which blocks of a learnable chain have an averaged twin beside them, outputs added. Default `first` (MLAAN's code). */
  readonly emaBlocks?: 'first' | 'all';
  /** `learnable` (default): copies trained by gradient, with averaged twins. `ema`: averages alone (MLAAN's figures). */
  readonly chain?: 'learnable' | 'ema';
  /**
   * Blocks of each module's chain: `table` (default) takes the published ones where the backbone and its cut have them
   * and the rule elsewhere; `rule` always the rule; or one list of `[stage, index]` for each module but the last.
   */
  readonly leap?: 'table' | 'rule' | readonly (readonly BlockReference[])[];
  /** Blocks of a chain by the rule, at most (never fewer than the stages need). Default 4. */
  readonly maximumLength?: number;
  /** How copies start: as the live blocks do (default), or from random values of their own (MLAAN's ImageNet code). */
  readonly initialize?: 'copy' | 'independent';
  /** Averages that move: those of all chains (default), or of the last one alone (MLAAN's CIFAR code). */
  readonly emaUpdate?: 'all' | 'lastOnly';
  /** Averages take in the weights after the optimizer's step (default), or those before it (MLAAN's code). */
  readonly emaTime?: 'afterStep' | 'beforeStep';
  /** The averaged copies are trained by gradient too (MLAAN's InfoPro code). Default false. */
  readonly emaTrainable?: boolean;
}

export type LamSettings = Required<Omit<LamOptions, 'on'>> & Pick<LamOptions, 'on'>;

export const lamOptionNames: readonly string[] = [
  ...['on', 'momentum', 'emaBlocks', 'chain', 'leap', 'maximumLength', 'initialize'],
  ...['emaUpdate', 'emaTime', 'emaTrainable'],
];

const choices: Readonly<Record<string, readonly string[]>> = {
  on: ['cascaded', 'independent', 'all'],
  emaBlocks: ['first', 'all'],
  chain: ['learnable', 'ema'],
  initialize: ['copy', 'independent'],
  emaUpdate: ['all', 'lastOnly'],
  emaTime: ['afterStep', 'beforeStep'],
};

/** @throws LocalgradError `invalid-option`, `unknown-name` */
export function readLamOptions(options: LamOptions): LamSettings {
  rejectUnknownKeys('lam', options, [...lamOptionNames]);
  for (const [name, allowed] of Object.entries(choices)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) requireOption(allowed.includes(value as string), 'lam', name, value, allowed.join(', '));
  }
  const { momentum = 0.995, leap = 'table', maximumLength = 4, emaTrainable = false } = options;
  requireOption(
    typeof momentum === 'number' && momentum >= 0 && momentum <= 1,
    'lam',
    'momentum',
    momentum,
    'numbers from 0 to 1',
  );
  const isLength = Number.isInteger(maximumLength) && maximumLength >= 1;
  requireOption(isLength, 'lam', 'maximumLength', maximumLength, 'integers ≥ 1');
  requireOption(typeof emaTrainable === 'boolean', 'lam', 'emaTrainable', emaTrainable, 'true, false');
  requireOption(isLeap(leap), 'lam', 'leap', leap, 'table, rule, or for each module a list of [stage, index]');
  return {
    ...{ emaBlocks: 'first', chain: 'learnable', initialize: 'copy', emaUpdate: 'all', emaTime: 'afterStep' },
    ...options,
    ...{ momentum, leap, maximumLength, emaTrainable },
  };
}

function isLeap(leap: unknown): boolean {
  if (leap === 'table' || leap === 'rule') return true;
  const isReference = (entry: unknown) => Array.isArray(entry) && entry.length === 2 && entry.every(Number.isInteger);
  return Array.isArray(leap) && leap.every((chain) => Array.isArray(chain) && chain.every(isReference));
}
