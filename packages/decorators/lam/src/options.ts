import { type BlockReference, LocalgradError, rejectUnknownKeys, requireOption } from '@localgrad/core';

/** Which heads get a chain; the classifier never does. */
export type LamTarget = 'cascaded' | 'independent' | 'all';

export interface LamOptions {
  /** Heads that get a chain. Default: `cascaded` if the host has cascaded losses (MLAAN's code), else `independent`. */
  readonly on?: LamTarget;
  /** Momentum of the averages: fraction of the previous value kept per step, in [0, 1]. Default 0.995. */
  readonly momentum?: number;
  /**
   * Blocks of a learnable chain with an additional averaged copy, whose output is added. Default `first` (MLAAN's
   * code). `none` is not published: the pilot in docs/methods/lean-mlaan.md found no effect of the averages.
   */
  readonly emaBlocks?: 'none' | 'first' | 'all';
  /**
   * `learnable` (default): copies trained by gradient, plus averaged copies. `ema`: averaged copies only (MLAAN's
   * figures).
   */
  readonly chain?: 'learnable' | 'ema';
  /**
   * Blocks of each module's chain: `table` (default) uses the published ones if available for the backbone and its
   * partition, otherwise the rule; `rule` always uses the rule; `next` uses only the block after the module (MAN); or a
   * list of `[stage, index]` for each module but the last.
   */
  readonly leap?: 'table' | 'rule' | 'next' | readonly (readonly BlockReference[])[];
  /** Maximum number of blocks in a chain by the rule (at least as many as the stages require). Default 4. */
  readonly maximumLength?: number;
  /**
   * Initial weights of the copies: those of the live blocks (default), or independent random values (MLAAN's ImageNet
   * code).
   */
  readonly initialize?: 'copy' | 'independent';
  /**
   * Sum of a learnable and an averaged copy: `none` (default) adds their outputs; `learned` weights them by s and 2 − s
   * with a trained number s per block, initially 1 (MAN++).
   */
  readonly scale?: 'none' | 'learned';
  /** Averages that are updated: those of all chains (default), or only of the last one (MLAAN's CIFAR code). */
  readonly emaUpdate?: 'all' | 'lastOnly';
  /** Whether averages use the weights after the optimizer step (default) or before it (MLAAN's code). */
  readonly emaTime?: 'afterStep' | 'beforeStep';
  /** Also train the averaged copies by gradient (MLAAN's InfoPro code). Default false. */
  readonly emaTrainable?: boolean;
  /**
   * Side p of the windows over which a chain's input is averaged first, so that its blocks run at 1/p² of the cost.
   * Default 1: no pooling. Not published.
   */
  readonly chainPool?: number;
  /**
   * `stage`: chains with the same blocks, input shape and loss have one set of weights, the head's own layers included;
   * batch statistics stay separate. Default `none`. Not published.
   */
  readonly share?: 'none' | 'stage';
  /** Gradients of shared weights: their mean over the heads (default), or their sum. */
  readonly shareScale?: 'mean' | 'sum';
  /**
   * Losses of a head that read through the chain: all (default, MLAAN), or only those about the labels (InfoPro: not the
   * reconstruction). Not published.
   */
  readonly part?: 'all' | 'classification';
}

export type LamSettings = Required<Omit<LamOptions, 'on'>> &
  Pick<LamOptions, 'on'> & {
    /** Name for errors. */
    readonly decorator: string;
  };

export const lamOptionNames: readonly string[] = [
  'on',
  'momentum',
  'emaBlocks',
  'chain',
  'leap',
  'maximumLength',
  'initialize',
  'scale',
  'emaUpdate',
  'emaTime',
  'emaTrainable',
  'chainPool',
  'share',
  'shareScale',
  'part',
];

const choices: Readonly<Record<string, readonly string[]>> = {
  on: ['cascaded', 'independent', 'all'],
  emaBlocks: ['none', 'first', 'all'],
  chain: ['learnable', 'ema'],
  initialize: ['copy', 'independent'],
  scale: ['none', 'learned'],
  emaUpdate: ['all', 'lastOnly'],
  emaTime: ['afterStep', 'beforeStep'],
  share: ['none', 'stage'],
  shareScale: ['mean', 'sum'],
  part: ['all', 'classification'],
};

/** @throws LocalgradError `invalid-option`, `unknown-name` */
export function readLamOptions(options: LamOptions, decorator = 'lam'): LamSettings {
  rejectUnknownKeys(decorator, options, [...lamOptionNames]);
  for (const [name, allowed] of Object.entries(choices)) {
    const value: unknown = Reflect.get(options, name);
    const isAllowed = value === undefined || allowed.some((one) => one === value);
    requireOption(isAllowed, decorator, name, value, allowed.join(', '));
  }
  const { momentum = 0.995, leap = 'table', maximumLength = 4, emaTrainable = false, chainPool = 1 } = options;
  requireOption(
    typeof momentum === 'number' && momentum >= 0 && momentum <= 1,
    decorator,
    'momentum',
    momentum,
    'numbers from 0 to 1',
  );
  const isLength = Number.isInteger(maximumLength) && maximumLength >= 1;
  requireOption(isLength, decorator, 'maximumLength', maximumLength, 'integers ≥ 1');
  requireOption(Number.isInteger(chainPool) && chainPool >= 1, decorator, 'chainPool', chainPool, 'integers ≥ 1');
  checkAverages(options, decorator);
  requireOption(typeof emaTrainable === 'boolean', decorator, 'emaTrainable', emaTrainable, 'true, false');
  requireOption(
    isLeap(leap),
    decorator,
    'leap',
    leap,
    'table, rule, next, or for each module a list of [stage, index]',
  );
  return {
    emaBlocks: 'first',
    chain: 'learnable',
    initialize: 'copy',
    scale: 'none',
    emaUpdate: 'all',
    emaTime: 'afterStep',
    share: 'none',
    shareScale: 'mean',
    part: 'all',
    ...options,
    decorator,
    chainPool,
    momentum,
    leap,
    maximumLength,
    emaTrainable,
  };
}

/** Rejects options of averages together with `emaBlocks: 'none'`, which leaves no average. */
function checkAverages({ emaBlocks, chain, scale, emaTrainable }: LamOptions, decorator: string): void {
  if (emaBlocks !== 'none') return;
  const other =
    chain === 'ema'
      ? "chain: 'ema', which has only averaged copies"
      : scale === 'learned'
        ? "scale: 'learned', which weights averaged copies"
        : emaTrainable === true
          ? 'emaTrainable: true, which trains averaged copies'
          : undefined;
  if (other === undefined) return;
  throw new LocalgradError(
    'invalid-option',
    `${decorator}: emaBlocks: 'none' excludes ${other}; remove one of the two.`,
    {
      emaBlocks,
    },
  );
}

function isLeap(leap: unknown): boolean {
  if (leap === 'table' || leap === 'rule' || leap === 'next') return true;
  const isReference = (entry: unknown) => Array.isArray(entry) && entry.length === 2 && entry.every(Number.isInteger);
  return Array.isArray(leap) && leap.every((chain) => Array.isArray(chain) && chain.every(isReference));
}
