import {
  classifierObjective,
  composedDecorator,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  type Objective,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
  weightAt,
} from '@localgrad/core';
import { lam } from '@localgrad/lam';
import { freeWindow } from './final-window.js';

export interface LeanMlaanOptions {
  /** Side of the windows over which the input of a chain is averaged first. Default 2. */
  readonly chainPool?: number;
  /** Maximum number of blocks in a chain (at least as many as the stages require). Default 4. */
  readonly maximumLength?: number;
  /** `stage`: one set of weights for the chains of a stage. Default `none`. */
  readonly share?: 'none' | 'stage';
  /** Losses that read through the chain: all (default), or only those about the labels. */
  readonly part?: 'all' | 'classification';
  /**
   * Number of modules that the classifier's loss trains. Default `free`: as many modules of the last stage as fit without
   * a higher peak of stored activations.
   */
  readonly finalWindow?: 'free' | number;
  /** Weight of the local losses inside the last window. Default 0: they are dropped. */
  readonly insideWeight?: number;
}

interface Settings extends Required<Omit<LeanMlaanOptions, 'share' | 'part'>> {
  readonly chain: Pick<LeanMlaanOptions, 'share' | 'part'>;
}

/**
 * Lean MLAAN, by this project and not by MLAAN's authors: local losses with weight 1 behind pooled leap chains without
 * averages, and a classifier that trains the last modules together where that costs no memory. Intended for few modules that
 * are balanced by memory.
 *
 * @throws LocalgradError `invalid-option`; `plan` throws as `lam` does
 */
export function leanMlaan(of: LocalLearningMethod, options: LeanMlaanOptions = {}): LocalLearningMethod {
  const settings = readOptions(options);
  const { chainPool, maximumLength, chain } = settings;
  const chains = { ...chain, on: 'independent', emaBlocks: 'none', leap: 'rule', chainPool, maximumLength } as const;
  return composedDecorator({ decorator: 'lean-mlaan', of, options }, (name) => {
    // Before chains are added, so that none is built for a loss that the window replaces.
    const windowed: LocalLearningMethod = {
      ...of,
      plan: (network) => withFinalWindow(of.plan(network), network, settings),
    };
    return lam(windowed, chains, { ...name, options: leanMlaanOptionNames });
  });
}

/** `leanMlaan` with its options, as a decorator for `compose`. */
export function withLeanMlaan(options: LeanMlaanOptions = {}): MethodDecorator {
  readOptions(options);
  return (method) => leanMlaan(method, options);
}

const leanMlaanOptionNames = [
  'chainPool',
  'maximumLength',
  'finalWindow',
  'insideWeight',
  'share',
  'part',
] as const satisfies readonly (keyof LeanMlaanOptions)[];

function readOptions(options: LeanMlaanOptions): Settings {
  rejectUnknownKeys('lean-mlaan', options, leanMlaanOptionNames);
  const { share, part, chainPool = 2, maximumLength = 4, finalWindow = 'free', insideWeight = 0 } = options;
  const isWindow = finalWindow === 'free' || (Number.isInteger(finalWindow) && finalWindow >= 1);
  requireOption(isWindow, 'lean-mlaan', 'finalWindow', finalWindow, 'free, integers ≥ 1');
  const isWeight = Number.isFinite(insideWeight) && insideWeight >= 0;
  requireOption(isWeight, 'lean-mlaan', 'insideWeight', insideWeight, 'finite numbers ≥ 0');
  const chain = { ...(share === undefined ? {} : { share }), ...(part === undefined ? {} : { part }) };
  return { chainPool, maximumLength, finalWindow, insideWeight, chain };
}

function withFinalWindow(plan: TrainingPlan, network: Network, settings: Settings): TrainingPlan {
  const { chainPool, maximumLength, finalWindow, insideWeight } = settings;
  const last = network.modules.length - 1;
  const classifier = classifierObjective(plan.objectives);
  const from =
    finalWindow === 'free'
      ? freeWindow(network, maximumLength, chainPool)
      : Math.max(0, network.modules.length - finalWindow);
  const objectives = plan.objectives.flatMap((objective): Objective[] => {
    const { span, weight } = objective;
    if (objective === classifier) return [{ ...objective, span: [Math.min(span[0], from), span[1]] }];
    if (span[1] < from || span[1] === last) return [objective];
    if (insideWeight === 0) return [];
    return [{ ...objective, weight: (clock) => insideWeight * weightAt(weight, clock) }];
  });
  return { ...plan, objectives };
}
