import {
  type Block,
  type Clock,
  LocalgradError,
  memberOf,
  type Network,
  type Objective,
  type Parameter,
  type ParameterScope,
  rejectUnknownKeys,
  requireOption,
  type Span,
  StoredPlanState,
  type TrainingPlan,
  validatePlan,
} from '@localgrad/core';
import { sequential } from '@localgrad/nn/blocks';
import type { CreateTargets } from '@localgrad/nn/cost';
import { checkOwnership } from './check-ownership.js';
import { checkHeads, checkNames, checkSmoothing, checkTargets } from './check-plan.js';
import { type DelayedAverages, delayAverages, type WeightHistory } from './delayed-weights.js';
import { delayGradients, type GradientDelay, type GradientDelayOptions } from './gradient-delay.js';
import { batchTargetsOf, type CompiledHead, groupObjectives } from './heads.js';
import { type HeadAverage, resolveAverages } from './moving-averages.js';
import { type CompiledPhase, compilePhases, phaseAt } from './phases.js';
import { type PeakPrediction, type PredictionOptions, predictPeak } from './prediction.js';
import { rewriteBlocks } from './rewrite-blocks.js';
import type { MemoryPolicy } from './schedule.js';

/** Options of `compilePlan`. */
export interface CompileOptions {
  /** Scope for the heads' weights (under `heads.<key>`) and the plan's state (under `state.<name>`). */
  readonly scope: ParameterScope;
  /** Whether activations are stored or recomputed. Default `residuals`. */
  readonly memory?: MemoryPolicy;
  /** Names of the targets in each batch. If given, heads that read other targets are rejected. */
  readonly targets?: readonly string[];
  /**
   * Number of steps by which averages follow the weights of other modules late, so that modules which train at the same time
   * need not wait for each other. Default 0.
   */
  readonly delay?: number;
  /**
   * Lets gradients that cross from module to module arrive late, so that modules which train at the same time need not wait
   * for them. Default: gradients are never late.
   */
  readonly gradientDelay?: GradientDelayOptions;
  /** Share of the labels that losses of classifiers spread over all classes, in [0, 1). Default 0. */
  readonly labelSmoothing?: number;
  /** Creates targets like those of the batches, to measure the memory of heads that read others than `labels`. */
  readonly createTargets?: CreateTargets;
}

const optionNames = [
  'scope',
  'memory',
  'targets',
  'delay',
  'gradientDelay',
  'labelSmoothing',
  'createTargets',
] as const satisfies readonly (keyof CompileOptions)[];

/** A plan with built heads and compiled schedules, to be run by an executor or printed by `explain`. */
export interface CompiledPlan {
  /** The network that the plan trains. */
  readonly network: Network;
  /** The plan that was compiled. */
  readonly plan: TrainingPlan;
  /** Whether activations are stored or recomputed. */
  readonly memory: MemoryPolicy;
  /** The modules that its steps run: all, unless it is a part of another plan (`partOf`). */
  readonly range: Span;
  /** One block per module, used in training steps. */
  readonly modules: readonly Block[];
  /** The blocks of each module, used in training steps. */
  readonly moduleBlocks: readonly (readonly Block[])[];
  /** The objectives whose weight is not the constant 0. */
  readonly objectives: readonly Objective[];
  /** Heads by module index. */
  readonly heads: ReadonlyMap<number, readonly CompiledHead[]>;
  /** All phases of training; at least one. */
  readonly phases: readonly [CompiledPhase, ...CompiledPhase[]];
  /** The phase of a step. */
  phaseAt(clock: Clock): CompiledPhase;
  /** Names of the targets that batches must contain. */
  readonly reads: readonly string[];
  /** As in the options. */
  readonly labelSmoothing: number;
  /** As in the options. */
  readonly delay: number;
  /** Where gradients arrive late; undefined if they never do. The schedules of its segments are those of the only phase. */
  readonly gradientDelay?: GradientDelay | undefined;
  /** Moving averages of the heads, with the averaged parameters. */
  readonly averages: readonly HeadAverage[];
  /** Earlier values of weights that averages follow with a delay. */
  readonly histories: readonly WeightHistory[];
  /** All weights, frozen parameters, statistics and state of the network, its heads and the plan, by name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** State that the plan declares. */
  readonly state: StoredPlanState;
  /** As in the options. */
  readonly createTargets?: CreateTargets | undefined;
  /** Predicted peak memory of a step with this batch size, over all phases. */
  predict(batchSize: number, options?: PredictionOptions): PeakPrediction;
}

/**
 * Compiles a plan into minimal-work schedules, one per phase, and builds its heads.
 *
 * @throws LocalgradError `invalid-plan`, `shape-mismatch` when the plan, its heads or its blocks are inconsistent with
 *   each other or with the network
 */
export function compilePlan(network: Network, plan: TrainingPlan, options: CompileOptions): CompiledPlan {
  const isScope = typeof memberOf(memberOf(options, 'scope'), 'parameter') === 'function';
  requireOption(
    isScope,
    'compilePlan',
    'scope',
    memberOf(options, 'scope'),
    'the scope in which the backbone was built',
  );
  rejectUnknownKeys('compilePlan', options, optionNames);
  const { scope, memory = 'residuals', labelSmoothing = 0, delay = 0 } = options;
  checkPolicy(memory, network.modules.length);
  requireOption(Number.isInteger(delay) && delay >= 0, 'plan', 'delay', delay, 'integers ≥ 0');
  const isShare = labelSmoothing >= 0 && labelSmoothing < 1;
  requireOption(isShare, 'plan', 'labelSmoothing', labelSmoothing, 'numbers ≥ 0 and < 1');
  validatePlan(plan, network.modules.length);
  const objectives = plan.objectives.filter((objective) => objective.weight !== 0);
  if (objectives.length === 0) {
    throw new LocalgradError(
      'invalid-plan',
      `Plan of '${plan.method}': every objective has weight 0; at least one weight must be positive.`,
    );
  }
  const heads = groupObjectives(objectives, network, scope.scope('heads'), (created) =>
    checkHeads(network, plan, created),
  );
  const all = [...heads.values()].flat();
  checkOwnership(network, plan, all);
  if (options.targets !== undefined) checkTargets(network, all, options.targets);
  if (labelSmoothing > 0) checkSmoothing(plan, all);
  const moduleBlocks = rewriteBlocks(network, plan);
  const modules = moduleBlocks.map((blocks, index) => {
    const [only] = blocks;
    return blocks.length === 1 && only !== undefined ? only : sequential(`module${index}`, blocks);
  });
  const [first, ...others] = compilePhases(plan, objectives, heads, network, memory);
  if (first === undefined) throw new LocalgradError('invalid-plan', `Plan of '${plan.method}' has no phases.`);
  const { gradientDelay: late = { steps: 0 } } = options;
  const setting = { plan, phases: [first, ...others], modules: network.modules.length, memory } as const;
  const gradientDelay = delayGradients(late, setting);
  const phases: CompiledPlan['phases'] = [withDelay(first, gradientDelay), ...others];
  const stateTensors = createState(plan, scope);
  const own = collectParameters(network, all, [...stateTensors.values()]);
  const moduleOf = new Map(all.map(({ key, module }) => [key, module]));
  const { averages, histories }: DelayedAverages = delayAverages(
    resolveAverages(network, all, own),
    delay,
    network,
    moduleOf,
    scope.scope('delayed'),
  );
  const earlier = histories.flatMap(({ values }) => values);
  const parameters = new Map([...own, ...earlier.map((value) => [value.name, value] as const)]);
  const state = new StoredPlanState(plan.state, stateTensors);
  const compiled = {
    network,
    plan,
    memory,
    range: [0, network.modules.length - 1] as const,
    modules,
    moduleBlocks,
    objectives,
    heads,
    phases,
    reads: [...new Set(all.flatMap(({ head }) => batchTargetsOf(head)))],
    labelSmoothing,
    delay,
    gradientDelay,
    averages,
    histories,
    parameters,
    state,
    createTargets: options.createTargets,
  };
  return {
    ...compiled,
    phaseAt: (clock) => phaseAt(plan, phases, clock, state),
    predict: (batchSize, how) => predictPeak(compiled, batchSize, how),
  };
}

/** A phase whose schedule is all that a step computes, for descriptions: the executor runs the segments one by one. */
function withDelay(phase: CompiledPhase, delay: GradientDelay | undefined): CompiledPhase {
  if (delay === undefined) return phase;
  const schedule = delay.segments.flatMap((one) => [...one.schedule, ...one.late.flatMap((late) => late.schedule)]);
  return { ...phase, schedule };
}

function checkPolicy(memory: MemoryPolicy, modules: number): void {
  if (memory === 'residuals' || memory === 'recompute') return;
  const list: readonly unknown[] = Array.isArray(memory?.recompute) ? memory.recompute : [memory];
  const wrong = list.find((module) => !Number.isInteger(module) || Number(module) < 0 || Number(module) >= modules);
  if (wrong === undefined) return;
  throw new LocalgradError(
    'invalid-option',
    `Unknown memory policy '${String(wrong)}'; allowed: residuals, recompute, or { recompute } with module indices from 0 to ${modules - 1}.`,
  );
}

/** Creates the plan's state tensors, by declared name. */
function createState({ state = [] }: TrainingPlan, scope: ParameterScope): Map<string, Parameter> {
  const place = scope.scope('state');
  return new Map(
    state.flatMap((one) =>
      'shape' in one ? [[one.name, place.parameter(one.name, one.shape, one.initializer, 'state')] as const] : [],
    ),
  );
}

function collectParameters(
  { backbone }: Network,
  heads: readonly CompiledHead[],
  state: readonly Parameter[],
): Map<string, Parameter> {
  const owned = [
    ...backbone.blocks.map(({ block }) => ({ owner: `block '${block.name}'`, parameters: ownedBy(block) })),
    { owner: 'the classifier', parameters: ownedBy(backbone.classifier) },
    ...heads.map(({ key, head }) => ({ owner: `head '${head.name}' (${key})`, parameters: ownedBy(head) })),
    { owner: 'the state of the plan', parameters: state },
  ];
  checkNames(owned);
  return new Map(owned.flatMap(({ parameters }) => parameters).map((parameter) => [parameter.name, parameter]));
}

function ownedBy(owner: {
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly state?: readonly Parameter[];
}): readonly Parameter[] {
  return [...owner.parameters, ...owner.statistics, ...(owner.state ?? [])];
}
