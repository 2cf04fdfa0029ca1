import {
  at,
  type BackboneBlock,
  type BlockReference,
  type BorrowedBlock,
  type DecoratorName,
  decoratedName,
  formatReference,
  type HeadFactory,
  type HeadReference,
  type JsonObject,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  type Objective,
  type SharedWeightsReference,
  type TrainingPlan,
} from '@localgrad/core';
import { chainedHead, headOfTerms } from '@localgrad/nn/heads';
import { buildChain, checkPool, copiesAt, resolveChain, workAt } from './leap-chain.js';
import { nextBlock, ruleChain } from './leap-rule.js';
import { publishedChains } from './leap-tables.js';
import { averagesOf } from './moving-average.js';
import { type LamOptions, type LamSettings, readLamOptions } from './options.js';

/**
 * Leap augmented modules (MLAAN, Zhang et al., AAAI 2025): the heads of a host method read the module's output through a
 * chain of copies of later blocks, tied to the live ones by an exponential moving average.
 *
 * @param used names for errors, where another method or decorator uses this one
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `shape-mismatch` for chains that do not fit
 */
export function lam(
  of: LocalLearningMethod,
  options: LamOptions = {},
  used: DecoratorName = decoratedName('lam', of),
): LocalLearningMethod {
  const settings = readLamOptions(options, used.decorator);
  const name = used.method;
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'lam', of: of.config, ...(structuredClone(options) as JsonObject) },
    plan: (network) => rewrite(used, of.plan(network), network, settings),
  };
}

/** `lam` with its options, as a decorator for `compose`. */
export function withLam(options: LamOptions = {}): MethodDecorator {
  readLamOptions(options);
  return (method) => lam(method, options);
}

function rewrite(used: DecoratorName, plan: TrainingPlan, network: Network, settings: LamSettings): TrainingPlan {
  const { method } = used;
  const chosen = new Set(chooseObjectives(used, plan, network, settings));
  const lastChained = Math.max(...[...chosen].map(({ span }) => span[1]));
  if (typeof settings.leap !== 'string') checkLeapLists(network, settings.leap, settings.decorator);
  const heads = new Map<string, HeadReference>();
  const sharing = new Sharing(settings);
  const withChain = (objective: Objective): Objective => {
    const { key, factory } = objective.head;
    if (factory === undefined) return objective;
    const chained = heads.get(key) ?? chainedReference(objective, factory);
    heads.set(key, chained);
    return { ...objective, head: chained };
  };
  const chainedReference = ({ id, head, role, span }: Objective, inner: HeadFactory): HeadReference => {
    const { key, shares: innerShares } = head;
    checkSharing(used, id, innerShares, settings);
    const live = chainBlocks(network, span[1], settings);
    checkPool(at(network.modules, span[1], 'module'), live, settings);
    const { shares, isFirst } = sharing.of(live, `${role} ${inner.name}`);
    // Shared averages move once per step.
    const moves = isFirst && (settings.emaUpdate === 'all' || span[1] === lastChained);
    const chained = chainFactory(live, inner, settings, moves);
    const common = shares ?? innerShares;
    return { key: `${key}.leap`, factory: chained, ...(common === undefined ? {} : { shares: common }) };
  };
  const objectives = plan.objectives.map((objective) => (chosen.has(objective) ? withChain(objective) : objective));
  return { ...plan, method, objectives };
}

/**
 * Selects the objectives whose heads get a chain: never those on the last module, which no block follows.
 *
 * @throws LocalgradError `invalid-option` when the target selects none
 */
function chooseObjectives(
  { method, options }: DecoratorName,
  plan: TrainingPlan,
  { modules }: Network,
  { on }: LamSettings,
): readonly Objective[] {
  const withHead = plan.objectives.filter(
    ({ head, span }) => head.factory !== undefined && span[1] < modules.length - 1,
  );
  const hasCascaded = withHead.some(({ role }) => role === 'cascaded');
  const target = on ?? (hasCascaded ? 'cascaded' : 'independent');
  if (target === 'cascaded' && !hasCascaded && withHead.length > 0) {
    throw new LocalgradError(
      'invalid-option',
      `${method}: option 'on' is 'cascaded', but the wrapped method has no cascaded losses; wrap mlm, or use independent or all.`,
      { on, method },
    );
  }
  const candidates = withHead.filter(({ role }) => target === 'all' || role === target);
  // A head whose chain already leads to the network's last block cannot have a second chain.
  const free = candidates.filter(({ head }) => (head.factory?.borrows ?? []).length === 0);
  if (candidates.length > 0 && free.length === 0) {
    const others = options?.includes('on') === false ? '' : ", or select other heads with option 'on'";
    throw new LocalgradError(
      'invalid-option',
      `${method}: every head that would get a leap chain already uses blocks of the network (${describeBorrowers(candidates)}). Remove one of the two${others}.`,
      { on: target, method, objectives: candidates.map(({ id }) => id) },
    );
  }
  return free;
}

/** Rejects common chains around heads that have weights in common. */
function checkSharing(
  { decorator }: DecoratorName,
  id: string,
  inner: SharedWeightsReference | undefined,
  { share }: LamSettings,
): void {
  if (share === 'none' || inner === undefined) return;
  throw new LocalgradError(
    'invalid-option',
    `${decorator}: option 'share' is '${share}', but the heads that it wraps already share weights ('${inner.key}' in loss '${id}'); allowed: none.`,
    { share, id, key: inner.key },
  );
}

/** Describes the first of these heads, e.g. `'leap+0c1f' of module0: (2,0) (3,1)`. */
function describeBorrowers([first, ...others]: readonly Objective[]): string {
  const blocks = first?.head.factory?.borrows?.map(({ reference }) => formatReference(reference)).join(' ');
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return `'${first?.head.factory?.name}' of ${first?.id}: ${blocks}${more}`;
}

/** Rejects a list with more chains than modules with heads. */
function checkLeapLists({ modules }: Network, leap: readonly (readonly BlockReference[])[], decorator: string): void {
  const needed = modules.length - 1;
  if (leap.length <= needed) return;
  const names = modules.slice(0, -1).map(({ index, name }) => `${index} ${name}`);
  throw new LocalgradError(
    'invalid-option',
    `${decorator}: option 'leap' has ${leap.length} chains, but only ${needed} modules can have one: ${names.join(', ') || 'none'}.`,
    { chains: leap.length, modules: needed },
  );
}

function chainBlocks(
  network: Network,
  module: number,
  { leap, maximumLength, decorator }: LamSettings,
): BackboneBlock[] {
  let references: readonly BlockReference[] | undefined;
  if (typeof leap !== 'string') {
    references = leap[module];
    if (references === undefined) {
      throw new LocalgradError(
        'invalid-option',
        `${decorator}: option 'leap' has ${leap.length} chains, but module ${module} ${network.modules[module]?.name ?? ''} needs one; provide one for each of the first ${network.modules.length - 1} modules.`,
        { module, chains: leap.length },
      );
    }
  } else if (leap === 'table') {
    references = publishedChains(network)?.[module];
  } else if (leap === 'next') {
    references = nextBlock(network, module);
  }
  return resolveChain(network, module, references ?? ruleChain(network, module, maximumLength), decorator);
}

/** Assigns chains to sets of common weights. */
class Sharing {
  readonly #settings: LamSettings;
  readonly #keys = new Map<string, string>();

  constructor(settings: LamSettings) {
    this.#settings = settings;
  }

  /** @param loss chains before different losses have different weights */
  of(
    live: readonly BackboneBlock[],
    loss: string,
  ): { readonly shares?: SharedWeightsReference; readonly isFirst: boolean } {
    const { share, shareScale: scale } = this.#settings;
    if (share === 'none') return { isFirst: true };
    const blocks = live.map(({ reference }) => formatReference(reference)).join('');
    const id = `${blocks} ${loss}`;
    const known = this.#keys.get(id);
    const key = known ?? `leap${this.#keys.size}`;
    this.#keys.set(id, key);
    return { shares: { key, scale }, isFirst: known === undefined };
  }
}

/** @param moves whether the averages of this chain are updated */
function chainFactory(
  live: readonly BackboneBlock[],
  inner: HeadFactory,
  settings: LamSettings,
  moves: boolean,
): HeadFactory {
  const { chainPool, momentum, part } = settings;
  const name = `leap${chainPool === 1 ? '' : `/${chainPool}`}+${inner.name}`;
  const when = settings.emaTime === 'afterStep' ? 'afterUpdate' : 'beforeUpdate';
  const terms = part === 'classification' ? inner.terms : undefined;
  return {
    name,
    borrows: live.map(({ reference, block }, index): BorrowedBlock => {
      const { learnable, averaged } = copiesAt(settings, index);
      return {
        reference,
        live: block.name,
        as: [...(learnable ? ['trained-copy' as const] : []), ...(averaged ? ['averaged-copy' as const] : [])],
        ...(averaged ? { momentum: moves ? momentum : 1 } : {}),
        ...(chainPool === 1 ? {} : { work: workAt(live, index, chainPool) }),
      };
    }),
    build: ({ shared, ...place }, own) => {
      // Common weights are those of the chains, or those of the heads behind them.
      const sharesChains = settings.share !== 'none';
      const scope = sharesChains ? (shared ?? own) : own;
      const context = sharesChains || shared === undefined ? place : { ...place, shared };
      const { block, twins } = buildChain(name, live, settings, scope);
      const behindChain = (factory: HeadFactory) =>
        chainedHead(name, block, factory.build({ ...context, inputShape: block.outputShape }, scope.scope('end')));
      const head =
        terms === undefined
          ? behindChain(inner)
          : headOfTerms(name, terms, ({ isClassification, factory }) =>
              isClassification ? behindChain(factory) : factory.build(context, own),
            );
      if (!moves) return head;
      return { ...head, averages: [...(head.averages ?? []), ...averagesOf(twins, momentum, when)] };
    },
  };
}
