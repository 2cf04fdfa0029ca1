import {
  type BlockReference,
  type BorrowedBlock,
  endOfTraining,
  type Head,
  type JsonObject,
  type Objective,
  type ObjectiveRole,
  type Optimizer,
  type Parameter,
  rejectUnknownKeys,
  type Shape3,
  type SharedWeightsReference,
  type Span,
  startOfTraining,
} from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import { type CompiledHead, targetsOf } from './heads.js';
import { objectiveWeight } from './objective-weight.js';
import type { PredictionOptions } from './prediction.js';
import { type UntrainedParts, untrainedParts } from './untrained.js';
import { describeRules, type RuleDescription } from './weight-rules.js';
import { measurePhase, type PhaseWork } from './work.js';

/** A module and its cost. */
export interface ModuleDescription {
  /** Index of the module, from 0. */
  readonly index: number;
  /** Last block, e.g. `(1,0)`. */
  readonly name: string;
  /** Names of the blocks, e.g. `(1,0)`. */
  readonly blocks: readonly string[];
  /** `[stage, index]` of the same blocks. */
  readonly references: readonly BlockReference[];
  /** Shape [height, width, channels] of one sample's output. */
  readonly outputShape: Shape3;
  /** Number of weights of the module. */
  readonly parameters: number;
  /** Work in units of one forward pass of the module (end-to-end training: 3); maximum over all phases. */
  readonly unitsOfWork: number;
  /** The same for the reference procedure, which runs the module once per path through it. */
  readonly referenceUnitsOfWork: number;
  /** Peak step bytes while the module is running. */
  readonly predictedBytes: number;
}

/** An objective, its head and the weights that it trains. */
export interface ObjectiveDescription {
  /** Name of the objective. */
  readonly id: string;
  /** Role of the objective in its method. */
  readonly role: ObjectiveRole;
  /** The modules that the loss trains. */
  readonly span: Span;
  /** Name of the head. */
  readonly head: string;
  /** Objectives with equal keys share the head. */
  readonly headKey: string;
  /** Names of the targets that the head reads. */
  readonly reads: readonly string[];
  /** Weights of the terms that the loss adds up, by name, if it has several. */
  readonly terms?: Readonly<Record<string, number>>;
  /** The set of weights that the head shares with heads on other modules. */
  readonly shares?: SharedWeightsReference;
  /** Weight at the start of training. */
  readonly weight: number;
  /** Weight at the end of training, if it is scheduled. */
  readonly weightAtEnd?: number;
  /** Number of weights of the head, including its copies of blocks. */
  readonly parameters: number;
  /** Names of the weights that receive a gradient from the objective. */
  readonly reaches: readonly string[];
  /** Total number of values in these weights. */
  readonly reachedParameters: number;
  /** Blocks of the network that the head applies before its own layers. */
  readonly borrows?: readonly BorrowedBlock[];
  /** The copies among these blocks. */
  readonly chain?: ChainDescription;
}

/** A copy of a block in a head. */
export interface ChainBlock {
  /** Stage and index of the copied block. */
  readonly reference: BlockReference;
  /** Name of the live block, `layer3.0`. */
  readonly live: string;
  /** Whether the head has a copy that is trained by gradient. */
  readonly learnable: boolean;
  /** Whether the head has a copy that is an exponential moving average of the live block. */
  readonly averaged: boolean;
}

/** Copies of blocks between a module's output and the head's own layers. */
export interface ChainDescription {
  /** The copied blocks, in forward order. */
  readonly blocks: readonly ChainBlock[];
  /** Momentum of the averages; 1 if no average is updated. */
  readonly momentum: number;
}

/** Cost of one phase of training. */
export interface PhaseDescription {
  /** Name of the phase. */
  readonly name: string;
  /** Ids of the active objectives. */
  readonly objectives: readonly string[];
  /** Indices of the frozen modules. */
  readonly frozen: readonly number[];
  /** Units of work per module. */
  readonly modules: readonly number[];
  /** Work in units of one forward pass of the whole backbone, including heads. */
  readonly unitsOfWork: number;
  /** Predicted peak memory of a step of the phase, in bytes. */
  readonly predictedPeakBytes: number;
}

/** A plan with its cost, as printed by `explain`. */
export interface PlanDescription {
  /** The method as an expression. */
  readonly method: string;
  /** Plain data that rebuilds the backbone: its name and the options that differ from its defaults. */
  readonly backboneConfig: JsonObject;
  /** Modules from the image to the classifier. */
  readonly modules: readonly ModuleDescription[];
  /** Objectives in the plan's order. */
  readonly objectives: readonly ObjectiveDescription[];
  /** Present if the plan divides training into phases. */
  readonly phases?: readonly PhaseDescription[];
  /** Where gradients are late, and the memory that this needs; absent if they never are. */
  readonly gradientDelay?: {
    /** Number of steps by which they are late. */
    readonly steps: number;
    /** The first module after each cut that they cross late. */
    readonly cuts: readonly number[];
    /** Predicted bytes of batches, weights and gradients of earlier steps; part of the predicted peak. */
    readonly keptBytes: number;
  };
  /** Parts of the network that no phase trains; absent if there are none. */
  readonly untrained?: UntrainedParts;
  /** What the optimizer's rules for single weights apply to; absent if it has none. */
  readonly rules?: readonly RuleDescription[];
  /** Maximum values over all phases. */
  readonly totals: {
    /** Number of weights of the network and its heads. */
    readonly parameters: number;
    /** Work in units of one forward pass of the whole backbone, including heads (end-to-end training: 3). */
    readonly unitsOfWork: number;
    /** Predicted peak memory of a step, in bytes; the maximum over all phases. */
    readonly predictedPeakBytes: number;
    /**
     * The same plan run by the procedure of reference implementations: every window runs its own forward and backward
     * pass, all paths that end at a module store their residuals at the same time, and all gradients are stored until
     * the optimizer step.
     */
    readonly reference: { readonly unitsOfWork: number; readonly predictedPeakBytes: number };
  };
}

/** How a plan is trained. Both options affect predicted memory. */
export interface DescribeOptions extends Pick<PredictionOptions, 'accumulate'> {
  /** Default: an optimizer with one state value per weight. */
  readonly optimizer?: Pick<Optimizer, 'stateBytes' | 'needsWholeStep' | 'rules'>;
}

const optionNames = ['optimizer', 'accumulate'] as const satisfies readonly (keyof DescribeOptions)[];

/** Predicts the work and memory of a plan without running a step. */
export function describePlan(
  compiled: CompiledPlan,
  batchSize: number,
  options: DescribeOptions = {},
): PlanDescription {
  rejectUnknownKeys('describePlan', options, optionNames);
  const work = compiled.phases.map((phase) => measurePhase(compiled, batchSize, { ...options, phase }));
  const highest = (of: (phase: PhaseWork) => number | undefined) => Math.max(...work.map((phase) => of(phase) ?? 0));
  return {
    method: compiled.plan.method,
    backboneConfig: compiled.network.backbone.config,
    modules: compiled.network.modules.map((module, index) => ({
      index,
      name: module.name,
      blocks: module.blocks.map((block) => block.name),
      references: module.members.map(({ reference }) => reference),
      outputShape: module.outputShape,
      parameters: weightCount(module.blocks.flatMap((block) => block.parameters)),
      unitsOfWork: highest(({ units }) => units[index]),
      referenceUnitsOfWork: highest(({ reference }) => reference.units[index]),
      predictedBytes: highest(({ moduleBytes }) => moduleBytes[index]),
    })),
    objectives: inPlanOrder(compiled).map(([objective, head]) => describeObjective(compiled, objective, head)),
    ...(compiled.plan.phases === undefined ? {} : { phases: work.map(describePhase) }),
    ...describeDelay(compiled, batchSize),
    ...describeUntrained(compiled),
    ...(options.optimizer?.rules === undefined ? {} : { rules: describeRules(compiled, options.optimizer) }),
    totals: {
      parameters: weightCount([...compiled.parameters.values()]),
      unitsOfWork: highest(({ unitsOfWork }) => unitsOfWork),
      predictedPeakBytes: highest(({ peakBytes }) => peakBytes),
      reference: {
        unitsOfWork: highest(({ reference }) => reference.unitsOfWork),
        predictedPeakBytes: highest(({ reference }) => reference.peakBytes),
      },
    },
  };
}

function describeDelay(compiled: CompiledPlan, batchSize: number): Pick<PlanDescription, 'gradientDelay'> {
  const { gradientDelay } = compiled;
  if (gradientDelay === undefined) return {};
  const { steps, cuts } = gradientDelay;
  return { gradientDelay: { steps, cuts, keptBytes: compiled.predict(batchSize).keptBytes ?? 0 } };
}

function describeUntrained(compiled: CompiledPlan): Pick<PlanDescription, 'untrained'> {
  const untrained = untrainedParts(compiled);
  return untrained.modules.length > 0 || untrained.classifier ? { untrained } : {};
}

function describePhase({ phase, units, unitsOfWork, peakBytes }: PhaseWork): PhaseDescription {
  return {
    name: phase.name,
    objectives: phase.objectives.map(({ id }) => id),
    frozen: [...phase.frozen].sort((a, b) => a - b),
    modules: units,
    unitsOfWork,
    predictedPeakBytes: peakBytes,
  };
}

/**
 * Objectives with their heads, in the plan's order: by module, the host method's loss before those that decorators
 * added.
 */
function inPlanOrder(compiled: CompiledPlan): [Objective, Head][] {
  const heads: readonly CompiledHead[] = [...compiled.heads.values()].flat();
  return compiled.objectives.flatMap((objective): [Objective, Head][] => {
    const found = heads.find(({ key }) => key === objective.head.key);
    return found === undefined ? [] : [[objective, found.head]];
  });
}

function describeObjective(compiled: CompiledPlan, objective: Objective, head: Head): ObjectiveDescription {
  const { id, role, span } = objective;
  const [start, end] = [objectiveWeight(objective, startOfTraining), objectiveWeight(objective, endOfTraining)];
  const borrows = objective.head.factory?.borrows;
  const reached = [
    ...compiled.modules.slice(span[0], span[1] + 1).flatMap((module) => module.parameters),
    ...head.parameters,
  ].filter(({ kind }) => kind === 'weight');
  return {
    id,
    role,
    span,
    head: head.name,
    headKey: objective.head.key,
    reads: targetsOf(head),
    ...(head.termWeights === undefined ? {} : { terms: Object.fromEntries(head.termWeights) }),
    ...(objective.head.shares === undefined ? {} : { shares: objective.head.shares }),
    weight: start,
    ...(start === end ? {} : { weightAtEnd: end }),
    parameters: weightCount(head.parameters),
    reaches: reached.map(({ name }) => name),
    reachedParameters: weightCount(reached),
    ...(borrows === undefined ? {} : { borrows, ...chainOf(borrows) }),
  };
}

/** The copies among borrowed blocks, in the form shown in figures and tables. */
function chainOf(borrows: readonly BorrowedBlock[]): { readonly chain?: ChainDescription } {
  const copies = borrows.filter(({ as }) => as.some((use) => use !== 'live'));
  if (copies.length === 0) return {};
  const momenta = copies.flatMap(({ momentum }) => (momentum === undefined ? [] : [momentum]));
  const blocks = copies.map(({ reference, live, as }) => ({
    reference,
    live,
    learnable: as.includes('trained-copy'),
    averaged: as.includes('averaged-copy'),
  }));
  return { chain: { momentum: Math.min(1, ...momenta), blocks } };
}

function weightCount(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { kind, size }) => sum + (kind === 'weight' ? size : 0), 0);
}
