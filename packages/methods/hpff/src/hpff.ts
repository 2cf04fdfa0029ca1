import { type LocalLearningMethod, type Network, type Objective, rejectUnknownKeys } from '@localgrad/core';
import { dgl } from '@localgrad/dgl';
import { type InfoProOptions, infopro } from '@localgrad/infopro';
import { cascadedRole, type MlmOptions, mlm } from '@localgrad/mlm';

export interface HpffOptions
  extends Pick<MlmOptions, 'window' | 'independentWeight' | 'cascadeWeight'>,
    Pick<InfoProOptions, 'ixx1' | 'ixy1' | 'ixx2' | 'ixy2' | 'patches' | 'patchReduction' | 'reconstruct' | 'decoder'> {
  /** Classifier of both kinds of heads: 0c1f, 0c2f, 1c1f, 1c2f, 1c3f, 2c2f (default), infopro-imagenet. */
  readonly head?: string;
  /** Factor on the convolutions of heads and decoders; default 1. */
  readonly widen?: number;
  /** Width of the heads' hidden layers; default 128. */
  readonly featureDimension?: number;
}

const mlmNames = ['window', 'independentWeight', 'cascadeWeight'] as const;
const headNames = ['head', 'widen', 'featureDimension'] as const;
const infoProNames = ['ixx1', 'ixy1', 'ixx2', 'ixy2', 'patches', 'patchReduction', 'reconstruct', 'decoder'] as const;
/** Names of the options, e.g. for completion. */
export const hpffOptionNames: readonly string[] = [...mlmNames, ...headNames, ...infoProNames];

/** Values of the published code (docs/methods/hpff.md). */
const defaults = { head: '2c2f', ixx1: 5, ixy1: 0.5, ixx2: 0, ixy2: 0, patches: 2 };

/**
 * HPFF (Su et al., arXiv 2407.05638): each module but the first has a classifier of its own, and each window of modules
 * has a classifier and a decoder of patches at its end. `mlm` with two kinds of heads: those of `dgl` and of `infopro`.
 *
 * Requires batches with images in [0, 1] as targets, unless `reconstruct` is `input`.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function hpff(options: HpffOptions = {}): LocalLearningMethod {
  rejectUnknownKeys('hpff', options, hpffOptionNames);
  const settings = { ...defaults, ...options };
  const windowOptions = { ...pick(options, mlmNames), incompleteWindows: 'skip', finalLoss: 'both' } as const;
  // First, since it checks the options of both kinds of heads in the name of hpff.
  const reconstruction = infopro(pick(settings, [...headNames, ...infoProNames]), 'hpff');
  const windows = mlm(dgl(pick(settings, headNames)), windowOptions, { decorator: 'hpff', method: 'hpff' });
  return {
    specVersion: 'v1',
    name: 'hpff',
    config: { method: 'hpff', ...options },
    plan: (network) => {
      const plan = windows.plan(network);
      const cascaded = cascadedHeads(reconstruction, network);
      const objectives = plan.objectives.flatMap((objective) => withCascadedHead(objective, cascaded));
      return { ...plan, method: 'hpff', objectives };
    },
  };
}

/** InfoPro's objectives by module. */
function cascadedHeads(reconstruction: LocalLearningMethod, network: Network): ReadonlyMap<number, Objective> {
  return new Map(reconstruction.plan(network).objectives.map((objective) => [objective.span[1], objective]));
}

/** Replaces the head of a window's loss, except the network's classifier; a loss whose terms all have weight 0 is omitted. */
function withCascadedHead(objective: Objective, cascaded: ReadonlyMap<number, Objective>): Objective[] {
  const { key, factory } = objective.head;
  const own = cascaded.get(objective.span[1]);
  if (objective.role !== cascadedRole || factory === undefined || own?.head.factory === undefined) return [objective];
  return own.weight === 0 ? [] : [{ ...objective, head: { key, factory: own.head.factory } }];
}

function pick<T extends object, Key extends keyof T>(options: T, names: readonly Key[]): Pick<T, Key> {
  const entries = names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  return Object.fromEntries(entries);
}
