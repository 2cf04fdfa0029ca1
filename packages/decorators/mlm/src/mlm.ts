import {
  at,
  type HeadReference,
  type LocalLearningMethod,
  type MethodDecorator,
  type Network,
  type Objective,
  type PhaseRule,
  rejectUnknownKeys,
  requireOption,
  type TrainingPlan,
  type Weight,
} from '@localgrad/core';
import { withStatisticsUpdates } from '@localgrad/nn/blocks';
import { type LossWeight, multiplyWeights, parseLossWeight } from './loss-weight.js';

export interface MlmOptions {
  /** Number of modules that a cascaded loss trains: the one it reads and those before it. Default 2. */
  readonly window?: number;
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
 * @throws LocalgradError `invalid-option`, `unknown-name`
 */
export function mlm(of: LocalLearningMethod, options: MlmOptions = {}): LocalLearningMethod {
  const settings = readOptions(options);
  const name = `mlm(${of.name})`;
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

function readOptions(options: MlmOptions): Settings {
  rejectUnknownKeys('mlm', options, [...mlmOptionNames]);
  const { window = 2, independentWeight = 0.001, cascadeWeight = 0.999 } = options;
  const { heads = 'separate', incompleteWindows = 'cut', finalLoss = 'both', statisticsUpdates = 'once' } = options;
  requireOption(Number.isInteger(window) && window >= 1, 'mlm', 'window', window, 'integers ≥ 1');
  requireOption(['separate', 'shared'].includes(heads), 'mlm', 'heads', heads, 'separate, shared');
  const isKnown = ['cut', 'skip'].includes(incompleteWindows);
  requireOption(isKnown, 'mlm', 'incompleteWindows', incompleteWindows, 'cut, skip');
  requireOption(['both', 'cascaded'].includes(finalLoss), 'mlm', 'finalLoss', finalLoss, 'both, cascaded');
  const isCount = ['once', 'perForward'].includes(statisticsUpdates);
  requireOption(isCount, 'mlm', 'statisticsUpdates', statisticsUpdates, 'once, perForward');
  const independent = parseLossWeight('mlm', 'independentWeight', independentWeight);
  const cascade = parseLossWeight('mlm', 'cascadeWeight', cascadeWeight);
  return { window, independent, cascade, heads, incompleteWindows, finalLoss, statisticsUpdates };
}

function rewrite(method: string, plan: TrainingPlan, network: Network, settings: Settings): TrainingPlan {
  const suffix = freeSuffix(plan);
  const objectives = plan.objectives.flatMap((objective) =>
    // The method has no windows of windows: losses that are already cascaded do not change.
    objective.role === cascadedRole
      ? [objective]
      : withCascade(objective, network.modules.length - 1, suffix, settings),
  );
  const phases = plan.phases === undefined ? {} : { phases: withCascadedIds(plan.phases, objectives, suffix) };
  const rewritten = { ...plan, ...phases, method, objectives };
  if (settings.statisticsUpdates === 'once') return rewritten;
  const counts = forwardCounts(network, settings);
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
  return { phases, phaseAt: (clock, state) => rule.phaseAt(clock, state) };
}

/**
 * Number of forward passes of each block per step of the reference code: one on the independent path and one in each
 * window of several modules (a window of one module is the independent path). The published code runs the stem once,
 * because it has no cut windows; otherwise each window that starts at the image runs it again.
 */
function forwardCounts({ modules }: Network, { window, incompleteWindows }: Settings): number[][] {
  const ends = modules
    .map(({ index }) => index)
    .filter((end) => end > 0 && (incompleteWindows === 'cut' || end >= window - 1 || end === modules.length - 1));
  const windows = window === 1 ? [] : ends.map((end) => [Math.max(0, end - window + 1), end] as const);
  return modules.map(({ index, members }) => {
    const inWindows = windows.filter(([from, to]) => from <= index && index <= to).length;
    const stem = incompleteWindows === 'skip' ? 0 : windows.filter(([from]) => from === 0).length;
    return members.map(({ reference }) => 1 + (reference[0] === 0 ? stem : inWindows));
  });
}

/** Suffix `.cascaded`, with a number if an inner `mlm` already uses it. */
function freeSuffix({ objectives }: TrainingPlan): string {
  let suffix = '.cascaded';
  const isTaken = () => objectives.some(({ id }) => id.endsWith(suffix));
  for (let count = 2; isTaken(); count++) suffix = `.cascaded${count}`;
  return suffix;
}

function withCascade(objective: Objective, lastModule: number, suffix: string, settings: Settings): Objective[] {
  const { window, independent, cascade, incompleteWindows, finalLoss } = settings;
  const [from, to] = objective.span;
  const isLast = to === lastModule;
  if (incompleteWindows === 'skip' && to < window - 1 && !isLast) return [];
  const isOnlyCascaded = isLast && finalLoss === 'cascaded';
  const cascaded: Objective = {
    id: `${objective.id}${suffix}`,
    role: cascadedRole,
    span: [Math.min(from, Math.max(0, to - window + 1)), to],
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
