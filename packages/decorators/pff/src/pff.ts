import {
  decoratedName,
  formatReference,
  type Head,
  type HeadContext,
  type HeadFactory,
  type HeadReference,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Objective,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
} from '@localgrad/core';
import { headOfTerms, patchedHead } from '@localgrad/nn/heads';

export interface PffOptions {
  /** Patches per side, n: feature maps are split into n × n patches. An integer ≥ 2; default 2. */
  readonly patches?: number;
  /** Losses whose heads read patches; default `all`. The network's classifier never does. */
  readonly on?: 'independent' | 'cascaded' | 'all';
  /** Losses of a head that read patches: all (default), or only those about the labels (InfoPro: not the reconstruction). */
  readonly part?: 'all' | 'classification';
  /** One network for all patches of a head (default), or one for each. */
  readonly networks?: 'shared' | 'separate';
  /** How the losses of the n² patches are combined; default `mean`. */
  readonly reduction?: 'mean' | 'sum';
}

const defaults = { patches: 2, on: 'all', part: 'all', networks: 'shared', reduction: 'mean' } as const;

type Settings = Required<PffOptions>;

/** Names of the options, e.g. for completion. */
export const pffOptionNames: readonly (keyof PffOptions)[] = ['patches', 'on', 'part', 'networks', 'reduction'];

const choices: readonly (readonly [name: keyof PffOptions, allowed: readonly string[]])[] = [
  ['on', ['independent', 'cascaded', 'all']],
  ['part', ['all', 'classification']],
  ['networks', ['shared', 'separate']],
  ['reduction', ['mean', 'sum']],
];

/**
 * Patch feature fusion (Su et al., HPFF, arXiv 2407.05638): the heads of a host method read one patch of their feature map
 * after the other, so that only the activations of a patch are kept.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `shape-mismatch` for maps that do not divide
 */
export function pff(of: LocalLearningMethod, options: PffOptions = {}): LocalLearningMethod {
  const settings = readOptions(options);
  const { method: name } = decoratedName('pff', of);
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'pff', of: of.config, ...options },
    plan: (network) => rewrite(name, of.plan(network), settings),
  };
}

/** `pff` with its options, as a decorator for `compose`. */
export function withPff(options: PffOptions = {}): MethodDecorator {
  readOptions(options);
  return (method) => pff(method, options);
}

function readOptions(options: PffOptions): Settings {
  rejectUnknownKeys('pff', options, [...pffOptionNames]);
  const settings: Settings = { ...defaults, ...options };
  const { patches } = settings;
  requireOption(Number.isInteger(patches) && patches >= 2, 'pff', 'patches', patches, 'integers ≥ 2');
  for (const [name, allowed] of choices) {
    requireOption(allowed.includes(String(settings[name])), 'pff', name, settings[name], allowed.join(', '));
  }
  return settings;
}

function rewrite(method: string, plan: TrainingPlan, settings: Settings): TrainingPlan {
  const heads = new Map<string, HeadReference>();
  const withPatches = (objective: Objective): Objective => {
    const { key, factory } = objective.head;
    if (factory === undefined) return objective;
    checkBlocks(method, objective, factory);
    const head = heads.get(key) ?? { ...objective.head, key: `${key}.patches`, factory: onPatches(factory, settings) };
    heads.set(key, head);
    return { ...objective, head };
  };
  const chosen = choose(method, plan, settings);
  const objectives = plan.objectives.map((objective) => (chosen.has(objective) ? withPatches(objective) : objective));
  return { ...plan, method, objectives };
}

/** @throws LocalgradError `invalid-option` when the option selects no loss */
function choose(method: string, { objectives }: TrainingPlan, { on }: Settings): ReadonlySet<Objective> {
  const withHead = objectives.filter(({ head }) => head.factory !== undefined);
  const chosen = withHead.filter(({ role }) => on === 'all' || role === on);
  if (withHead.length > 0 && chosen.length === 0) {
    const roles = [...new Set(withHead.map(({ role }) => role))].join(', ');
    throw new LocalgradError(
      'invalid-option',
      `${method}: option 'on' is '${on}', but the wrapped method has no such losses; allowed: ${roles}, all.`,
      { on, method },
    );
  }
  return new Set(chosen);
}

/** `pff(lam(dgl))` → `lam(pff(dgl))`; nothing for a host without a decorator. */
function placeInside(method: string): string {
  const [, outer, host, end = ''] = /^pff\((.*\()([^()]+)(\)+)$/.exec(method) ?? [];
  return outer === undefined ? '' : ` Put pff inside: ${outer}pff(${host})${end.slice(1)}.`;
}

/** Copies of the network's blocks read whole maps. */
function checkBlocks(method: string, { id }: Objective, { name, borrows = [] }: HeadFactory): void {
  const [first] = borrows;
  if (first === undefined) return;
  throw new LocalgradError(
    'invalid-option',
    `${method}: head '${name}' of ${id} contains blocks of the network, from ${formatReference(first.reference)} on, which read whole maps.${placeInside(method)}`,
    { method, objective: id },
  );
}

function onPatches(inner: HeadFactory, { patches, part, networks, reduction }: Settings): HeadFactory {
  const name = `patch/${patches}+${inner.name}`;
  const patched = (factory: HeadFactory) => (context: HeadContext, scope: ParameterScope) =>
    patchedHead(context, scope, {
      name: `patch/${patches}+${factory.name}`,
      patches,
      share: networks === 'shared',
      reduction,
      build: (patch, own): Head => factory.build(patch, own),
    });
  const terms = inner.terms?.map((term) => {
    const isPatched = part === 'all' || term.isClassification;
    return isPatched ? { ...term, factory: { ...term.factory, build: patched(term.factory) } } : term;
  });
  const own = { name, ...(terms === undefined ? {} : { terms }) };
  if (part === 'all' || terms === undefined) return { ...own, build: patched(inner) };
  return {
    ...own,
    build: (context, scope) => headOfTerms(name, terms, ({ factory }) => factory.build(context, scope)),
  };
}
