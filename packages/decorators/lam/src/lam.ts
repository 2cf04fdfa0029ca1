import {
  type AfterStepHook,
  type BackboneBlock,
  type BlockReference,
  type Head,
  type HeadFactory,
  type JsonObject,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  type Objective,
  type TrainingPlan,
} from '@localgrad/core';
import { chainedHead } from '@localgrad/nn';
import { buildChain, copiesAt, resolveChain, type Twin } from './leap-chain.js';
import { ruleChain } from './leap-rule.js';
import { publishedChains } from './leap-tables.js';
import { type TwinNames, twinNames, updateAverages, updateTwin } from './moving-average.js';
import { type LamOptions, type LamSettings, readLamOptions } from './options.js';

/**
 * Leap augmented modules (MLAAN, Zhang et al., AAAI 2025): the heads of a host method read the module's output through a
 * chain of copies of later blocks, tied to the live ones by an exponential moving average.
 *
 * @throws LocalgradError `invalid-option`, `unknown-name`; `plan` throws `shape-mismatch` for chains that do not fit
 */
export function lam(of: LocalLearningMethod, options: LamOptions = {}): LocalLearningMethod {
  const settings = readLamOptions(options);
  const name = `lam(${of.name})`;
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'lam', of: of.config, ...(structuredClone(options) as JsonObject) },
    plan: (network) => rewrite(name, of.plan(network), network, settings),
  };
}

/** `lam` with its options, as a decorator for `compose`. */
export function withLam(options: LamOptions = {}): MethodDecorator {
  readLamOptions(options);
  return (method) => lam(method, options);
}

function rewrite(method: string, plan: TrainingPlan, network: Network, settings: LamSettings): TrainingPlan {
  const isChosen = chooser(method, plan, settings);
  const chosen = plan.objectives.filter(isChosen);
  const lastChained = Math.max(...chosen.map(({ span }) => span[1]));
  const averages = new Map<string, readonly TwinNames[]>();
  const factories = new Map<string, HeadFactory>();
  const withChain = (objective: Objective): Objective => {
    const { key, factory } = objective.head;
    const made =
      factories.get(key) ??
      chainFactory(network, objective, factory as HeadFactory, settings, {
        moves: settings.emaUpdate === 'all' || objective.span[1] === lastChained,
        averages,
      });
    factories.set(key, made);
    return { ...objective, head: { key: `${key}.leap`, factory: made } };
  };
  const hook: AfterStepHook = {
    name: 'lam',
    afterStep: ({ parameters }) => {
      for (const names of averages.values()) updateAverages(names, settings.momentum, parameters);
    },
  };
  const objectives = plan.objectives.map((objective) => (isChosen(objective) ? withChain(objective) : objective));
  const hooks = settings.emaTime === 'afterStep' ? [...plan.hooks, hook] : plan.hooks;
  return { ...plan, method, objectives, hooks };
}

function chooser(method: string, plan: TrainingPlan, { on }: LamSettings): (objective: Objective) => boolean {
  const hasHead = ({ head }: Objective) => head.factory !== undefined;
  const hasCascaded = plan.objectives.some((objective) => objective.role === 'cascaded' && hasHead(objective));
  const target = on ?? (hasCascaded ? 'cascaded' : 'independent');
  if (target === 'cascaded' && !hasCascaded && plan.objectives.some(hasHead)) {
    throw new LocalgradError(
      'invalid-option',
      `${method}: option 'on' is 'cascaded', but the method inside has no cascaded losses; put mlm inside, or use independent or all.`,
      { on, method },
    );
  }
  // A head behind a chain has what this decorator gives; a second chain would not fit behind the first.
  const isFree = ({ head }: Objective) => head.factory !== undefined && head.factory.chain === undefined;
  return (objective) => isFree(objective) && (target === 'all' || objective.role === target);
}

function chainBlocks(network: Network, module: number, { leap, maximumLength }: LamSettings): BackboneBlock[] {
  let references: readonly BlockReference[] | undefined;
  if (typeof leap !== 'string') {
    references = leap[module];
    if (references === undefined) {
      throw new LocalgradError(
        'invalid-option',
        `lam: option 'leap' has ${leap.length} chains, but module ${module} needs one; give one for each of the first ${network.modules.length - 1} modules.`,
        { module, chains: leap.length },
      );
    }
  } else if (leap === 'table') {
    references = publishedChains(network)?.[module];
  }
  return resolveChain(network, module, references ?? ruleChain(network, module, maximumLength));
}

interface AverageKeeping {
  /** Do this chain's averages move at all? */
  readonly moves: boolean;
  /** Takes the chain's twins by the prefix of their names. */
  readonly averages: Map<string, readonly TwinNames[]>;
}

function chainFactory(
  network: Network,
  objective: Objective,
  inner: HeadFactory,
  settings: LamSettings,
  { moves, averages }: AverageKeeping,
): HeadFactory {
  const module = objective.span[1];
  const live = chainBlocks(network, module, settings);
  const name = `leap+${inner.name}`;
  return {
    name,
    chain: {
      // Averages that never move keep all of what they had.
      momentum: moves ? settings.momentum : 1,
      blocks: live.map(({ reference, block }, index) => ({
        reference,
        live: block.name,
        ...copiesAt(settings, index),
      })),
    },
    build: (context, scope) => {
      const { block, twins } = buildChain(name, live, settings, scope);
      const end = inner.build({ ...context, inputShape: block.outputShape }, scope.scope('end'));
      const head = chainedHead(name, block, end);
      if (!moves) return head;
      if (settings.emaTime === 'beforeStep') return averagingHead(head, twins, settings.momentum);
      averages.set(scope.prefix, twins.flatMap(twinNames));
      return head;
    },
  };
}

/**
 * Moves the averages right after the head's own backward. The live blocks stand behind the head's module, so that none of
 * their weights has been updated at that moment: the averages take in what was before the optimizer's step.
 */
function averagingHead(head: Head, twins: readonly Twin[], momentum: number): Head {
  return {
    ...head,
    evaluate: (h, targets, request) => {
      const result = head.evaluate(h, targets, request);
      if (request.mode.training) for (const twin of twins) updateTwin(twin, momentum);
      return result;
    },
  };
}
