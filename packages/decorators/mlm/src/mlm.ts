import {
  at,
  type DecoratorName,
  decoratedName,
  type HeadReference,
  LocalgradError,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  type Objective,
  type PhaseRule,
  rejectUnknownKeys,
  requireOption,
  type Span,
  type TrainingPlan,
  type Weight,
} from '@localgrad/core';
import { withStatisticsUpdates } from '@localgrad/nn/blocks';
import { type LossWeight, multiplyWeights, parseLossWeight } from './loss-weight.js';

export interface MlmOptions {
  /** Number of modules that a cascaded loss trains: the one it reads and those before it. Default 2. */
  readonly window?: number;
  /**
   * Boundaries that windows do not cross: only those of the network (default), or those of stages, before which activations
   * are larger: a window then contains only modules whose blocks all belong to the stage of its last block. Not published.
   */
  readonly within?: 'network' | 'stage';
  /**
   * Whether windows follow each other from the network's end without overlap, and only their last modules have losses.
   * Default false. Not published.
   */
  readonly prune?: boolean;
  /** Weight of the host's losses. Default 0.001 (MLAAN's code). */
  readonly independentWeight?: LossWeight;
  /** Weight of the cascaded losses. Default 0.999 (MLAAN's code). */
  readonly cascadeWeight?: LossWeight;
  /** Whether cascaded losses have their own heads, built by the host's factory (default), or share the host's heads. */
  readonly heads?: 'separate' | 'shared';
  /**
   * Windows near the input that would start before module 0. `cut` (default): they start at module 0. `skip`: modules
   * without a full window have no loss at all, neither independent nor cascaded (the reference code).
   */
  readonly incompleteWindows?: 'cut' | 'skip';
  /**
   * Losses of the classifier on the last module: both (default), or only the cascaded one, with weight 1 (the reference
   * code).
   */
  readonly finalLoss?: 'both' | 'cascaded';
  /**
   * Update running statistics `once` per batch (default), or `perForward`: as often as the reference code, which runs a
   * module once on its own path and once for each window that contains it (docs/methods/engine.md §6).
   */
  readonly statisticsUpdates?: 'once' | 'perForward';
}

interface Settings {
  readonly window: number;
  readonly within: 'network' | 'stage';
  readonly prune: boolean;
  readonly independent: Weight;
  readonly cascade: Weight;
  readonly heads: 'separate' | 'shared';
  readonly incompleteWindows: 'cut' | 'skip';
  readonly finalLoss: 'both' | 'cascaded';
  readonly statisticsUpdates: 'once' | 'perForward';
}

/** Role of losses that train a window of modules. */
export const cascadedRole = 'cascaded';

export const mlmOptionNames: readonly string[] = [
  'window',
  'within',
  'prune',
  'independentWeight',
  'cascadeWeight',
  'heads',
  'incompleteWindows',
  'finalLoss',
  'statisticsUpdates',
];

/**
 * Multilaminar local modules (MLAAN, Zhang et al., AAAI 2025): adds a cascaded loss to each independent loss of the
 * host, which trains a window of adjacent modules that ends at the same module.
 *
 * @param used names for errors, where another method or decorator uses this one
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function mlm(
  of: LocalLearningMethod,
  options: MlmOptions = {},
  used: DecoratorName = decoratedName('mlm', of),
): LocalLearningMethod {
  const settings = readOptions(options, used.decorator);
  const name = used.method;
  return {
    specVersion: 'v1',
    name,
    config: { decorator: 'mlm', of: of.config, ...options },
    plan: (network) => rewrite(name, of.plan(network), network, settings),
  };
}

/** `mlm` with its options, as a decorator for `compose`. */
export function withMlm(options: MlmOptions = {}): MethodDecorator {
  readOptions(options);
  return (method) => mlm(method, options);
}

function readOptions(options: MlmOptions, decorator = 'mlm'): Settings {
  rejectUnknownKeys(decorator, options, [...mlmOptionNames]);
  const { window = 2, independentWeight = 0.001, cascadeWeight = 0.999 } = options;
  const { heads = 'separate', incompleteWindows = 'cut', finalLoss = 'both', statisticsUpdates = 'once' } = options;
  requireOption(Number.isInteger(window) && window >= 1, decorator, 'window', window, 'integers ≥ 1');
  const { within = 'network', prune = false } = options;
  requireOption(['network', 'stage'].includes(within), decorator, 'within', within, 'network, stage');
  requireOption(typeof prune === 'boolean', decorator, 'prune', prune, 'true, false');
  requireOption(['separate', 'shared'].includes(heads), decorator, 'heads', heads, 'separate, shared');
  const isKnown = ['cut', 'skip'].includes(incompleteWindows);
  requireOption(isKnown, decorator, 'incompleteWindows', incompleteWindows, 'cut, skip');
  requireOption(['both', 'cascaded'].includes(finalLoss), decorator, 'finalLoss', finalLoss, 'both, cascaded');
  const isCount = ['once', 'perForward'].includes(statisticsUpdates);
  requireOption(isCount, decorator, 'statisticsUpdates', statisticsUpdates, 'once, perForward');
  const independent = parseLossWeight(decorator, 'independentWeight', independentWeight);
  const cascade = parseLossWeight(decorator, 'cascadeWeight', cascadeWeight);
  if (prune && incompleteWindows === 'skip') {
    throw new LocalgradError(
      'invalid-option',
      `${decorator}: options 'prune' and incompleteWindows: 'skip' together would leave modules near the input without any loss; remove one of the two.`,
      { prune, incompleteWindows },
    );
  }
  return { window, within, prune, independent, cascade, heads, incompleteWindows, finalLoss, statisticsUpdates };
}

function rewrite(method: string, plan: TrainingPlan, network: Network, settings: Settings): TrainingPlan {
  const suffix = freeSuffix(plan);
  const windows = windowsOf(network, settings);
  const objectives = plan.objectives.flatMap((objective) =>
    // The method has no windows of windows: losses that are already cascaded do not change.
    objective.role === cascadedRole
      ? [objective]
      : withCascade(objective, network.modules.length - 1, suffix, windows, settings),
  );
  const phases = plan.phases === undefined ? {} : { phases: withCascadedIds(plan.phases, objectives, suffix) };
  const rewritten = { ...plan, ...phases, method, objectives };
  if (settings.statisticsUpdates === 'once') return rewritten;
  const counts = forwardCounts(network, windows, settings);
  return {
    ...rewritten,
    rewriteBlock: (block, place) => {
      const inner = plan.rewriteBlock?.(block, place) ?? block;
      const count = at(at(counts, place.module, 'module'), place.index, 'block of the module');
      return count === 1 ? inner : withStatisticsUpdates(inner, count);
    },
  };
}

/** Activates each cascaded loss in the phases of its original loss. */
function withCascadedIds(rule: PhaseRule, objectives: readonly Objective[], suffix: string): PhaseRule {
  const known = new Set(objectives.map(({ id }) => id));
  const phases = rule.phases.map((phase) => {
    if (phase.objectives === undefined) return phase;
    return {
      ...phase,
      objectives: phase.objectives.flatMap((id) => [id, `${id}${suffix}`]).filter((id) => known.has(id)),
    };
  });
  return { ...rule, phases, phaseAt: (clock, state) => rule.phaseAt(clock, state) };
}

/**
 * Number of forward passes of each block per step of the reference code: one on the independent path and one in each
 * window of several modules (a window of one module is the independent path). The published code runs the stem once,
 * because it has no cut windows; otherwise each window that starts at the image runs it again.
 */
function forwardCounts({ modules }: Network, windows: Windows, { incompleteWindows }: Settings): number[][] {
  const several = [...windows.values()].filter(({ span: [from, to] }) => from < to).map(({ span }) => span);
  return modules.map(({ index, members }) => {
    const inWindows = several.filter(([from, to]) => from <= index && index <= to).length;
    const stem = incompleteWindows === 'skip' ? 0 : several.filter(([from]) => from === 0).length;
    return members.map(({ reference }) => 1 + (reference[0] === 0 ? stem : inWindows));
  });
}

interface Window {
  readonly span: Span;
  readonly isComplete: boolean;
}

/** Windows by the module where they end. */
type Windows = ReadonlyMap<number, Window>;

/** Modules without a window have no losses. */
function windowsOf({ modules }: Network, { window, within, prune, incompleteWindows }: Settings): Windows {
  const lastModule = modules.length - 1;
  const windowAt = (to: number): Window => {
    const { members } = at(modules, to, 'module');
    const stage = at(members, members.length - 1, 'block of the module').reference[0];
    const isInside = (module: number) =>
      within === 'network' || at(modules, module, 'module').members.every(({ reference }) => reference[0] === stage);
    let from = to;
    while (from > 0 && to - from + 1 < window && isInside(to) && isInside(from - 1)) from--;
    return { span: [from, to], isComplete: to - from + 1 === window };
  };
  const windows = new Map<number, Window>();
  for (let to = lastModule; to >= 0; ) {
    const found = windowAt(to);
    if (incompleteWindows === 'cut' || found.isComplete || to === lastModule) windows.set(to, found);
    to = prune ? found.span[0] - 1 : to - 1;
  }
  return windows;
}

/** Suffix `.cascaded`, with a number if an inner `mlm` already uses it. */
function freeSuffix({ objectives }: TrainingPlan): string {
  let suffix = '.cascaded';
  const isTaken = () => objectives.some(({ id }) => id.endsWith(suffix));
  for (let count = 2; isTaken(); count++) suffix = `.cascaded${count}`;
  return suffix;
}

function withCascade(
  objective: Objective,
  lastModule: number,
  suffix: string,
  windows: Windows,
  settings: Settings,
): Objective[] {
  const { independent, cascade, finalLoss } = settings;
  const [from, to] = objective.span;
  const found = windows.get(to);
  if (found === undefined) return [];
  const isOnlyCascaded = to === lastModule && finalLoss === 'cascaded';
  const cascaded: Objective = {
    id: `${objective.id}${suffix}`,
    role: cascadedRole,
    span: [Math.min(from, found.span[0]), to],
    weight: isOnlyCascaded ? objective.weight : multiplyWeights(objective.weight, cascade),
    head: cascadedHead(objective.head, suffix, settings),
  };
  if (isOnlyCascaded) return [cascaded];
  return [{ ...objective, weight: multiplyWeights(objective.weight, independent) }, cascaded];
}

function cascadedHead(head: HeadReference, suffix: string, { heads }: Settings): HeadReference {
  const { key, factory, shares } = head;
  // A head without a factory is the backbone's classifier, which is unique.
  if (factory === undefined || heads === 'shared') return head;
  const own = shares === undefined ? {} : { shares: { ...shares, key: `${shares.key}${suffix}` } };
  return { key: `${key}${suffix}`, factory, ...own };
}
