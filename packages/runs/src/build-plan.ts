import { totalmem } from 'node:os';
import type { AsynchronousOptions } from '@localgrad/asynchronous';
import { type LoadedWeights, partitionTables, publishedPartition } from '@localgrad/backbones';
import { type Catalog, standardCatalog } from '@localgrad/catalog';
import {
  type Backbone,
  createNetwork,
  type LocalLearningMethod,
  type Network,
  type Optimizer,
  type ParameterScope,
  type Partition,
  type PartitionSpec,
  rejectUnknownKeys,
  resolvePartition,
  type Shape3,
} from '@localgrad/core';
import { type CompiledPlan, compilePlan, type MemoryPolicy } from '@localgrad/engine';
import { costOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import { formatBytes } from '@localgrad/train';
import { outputsOf, type PlanImages, targetsOf } from './batch-targets.js';
import { checkAlone } from './budget/check-alone.js';
import { type BudgetChoice, budgetBytesOf, chooseWithinBudget } from './budget/memory-budget.js';
import { TrialPlans } from './budget/trial-plans.js';
import { asynchronyOf } from './config/asynchrony.js';
import { configError } from './config/config-error.js';
import { gradientDelayOf } from './config/gradient-delay.js';
import { type OptimizerConfig, optimizerOf, runDefaults } from './config/optimization.js';
import { inTermsOfKeys } from './config/option-keys.js';
import { type NameOptions, nameOptionNames, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { checkInitialPart, loadInitialWeights } from './load-initial-weights.js';

export type NetworkConfig = Pick<RunConfig, 'backbone' | 'width' | 'modules' | 'partition' | 'stemModule'>;

/** Largest number of weights of a run: they are created in memory, and no backend of most machines could train more. */
const mostValues = Math.min(2 ** 30, Math.floor(totalmem() / Float32Array.BYTES_PER_ELEMENT));

/** The network of a config, with fresh weights in `scope`. @throws LocalgradError */
export function buildNetwork(
  config: NetworkConfig,
  inputShape: Shape3,
  classes: number,
  scope: ParameterScope,
  catalog: Catalog = standardCatalog,
): Network {
  const backbone = buildBackbone(config, inputShape, classes, scope, catalog);
  return createNetwork(backbone, resolvePartition(backbone.blocks, partitionOf(config, backbone.name), costOf));
}

function buildBackbone(
  { backbone, width }: NetworkConfig,
  inputShape: Shape3,
  classes: number,
  scope: ParameterScope,
  catalog: Catalog,
): Backbone {
  return catalog.backbone(backbone, { width }).build({ inputShape, classes, scope });
}

function partitionOf({ modules, partition, stemModule }: NetworkConfig, backbone: string): PartitionSpec {
  if (Array.isArray(partition)) return { sizes: partition };
  if (partition === 'published') return { lastBlocks: publishedPartition(backbone, modules) };
  const table = partitionTables.find((one) => partition === `published:${one}`);
  if (table !== undefined) return { lastBlocks: publishedPartition(backbone, modules, table) };
  return { modules, strategy: partition as 'even', ...(stemModule === undefined ? {} : { stemModule }) };
}

/** A network with a method's plan, compiled. `dispose` frees every weight. */
export interface BuiltPlan {
  readonly network: Network;
  readonly compiled: CompiledPlan;
  /** Contains every name of the config. */
  readonly catalog: Catalog;
  /** How the network was cut, if `memoryBudget` says so. */
  readonly budget?: BudgetChoice;
  /** Options of asynchronous training, if the config says so. */
  readonly asynchrony?: AsynchronousOptions;
  /** What was loaded, if the config has `initialWeights` and weights were not left 0. */
  readonly loaded?: LoadedWeights;
  dispose(): void;
}

export type PlanConfig = NetworkConfig &
  Pick<RunConfig, 'method' | 'memory' | 'seed'> &
  Partial<
    Pick<
      RunConfig,
      | 'memoryBudget'
      | 'batch'
      | 'accumulate'
      | 'asynchronous'
      | 'delay'
      | 'gradientDelay'
      | 'gradientDelayCuts'
      | 'initialWeights'
      | 'initialPart'
      | 'labelSmoothing'
      | keyof OptimizerConfig
    >
  >;

export interface BuildOptions extends NameOptions {
  /** Leave all weights 0, where the plan is only described. Default false. */
  readonly zeros?: boolean;
}

/** @throws LocalgradError */
export function buildPlan(config: PlanConfig, images: PlanImages, options: BuildOptions = {}): Promise<BuiltPlan> {
  rejectUnknownKeys('buildPlan', options, [...nameOptionNames, 'zeros']);
  return inTermsOfKeys(config, () => buildPlanOf(config, images, options));
}

async function buildPlanOf(
  config: PlanConfig,
  images: PlanImages,
  { zeros = false, ...names }: BuildOptions,
): Promise<BuiltPlan> {
  const { method: expression, backbone, optimizer } = config;
  const { catalog } = await resolveNames({ method: expression, backbone, optimizer }, names);
  const method = catalog.method(expression);
  const scope = createScope(config.seed, { mostValues, zeros });
  const dispose = () => {
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  try {
    const created = buildBackbone(config, images.imageShape, outputsOf(images), scope, catalog);
    const { partition, memory, budget } = cutsOf(created, { config, method, images, catalog });
    const network = createNetwork(created, partition);
    checkInitialPart(config);
    const { delay = 0, labelSmoothing = 0, initialWeights, initialPart: part = 'network' } = config;
    const loaded =
      initialWeights === undefined || zeros
        ? undefined
        : await loadInitialWeights(network, scope.all().values(), initialWeights, { part });
    const gradientDelay = gradientDelayOf(config);
    const options = { scope, memory, labelSmoothing, delay, gradientDelay, ...targetsOf(images, created) };
    const compiled = compilePlan(network, method.plan(network), options);
    const asynchrony = withOptimizer(config, catalog, (optimizer) => asynchronyOf(config, compiled, optimizer));
    const choices = {
      ...(budget === undefined ? {} : { budget }),
      ...(asynchrony === undefined ? {} : { asynchrony }),
      ...(loaded === undefined ? {} : { loaded }),
    };
    return { network, compiled, catalog, dispose, ...choices };
  } catch (error) {
    dispose();
    throw error;
  }
}

interface Cuts {
  readonly partition: Partition;
  readonly memory: MemoryPolicy;
  readonly budget?: BudgetChoice;
}

interface CutSetting {
  readonly config: PlanConfig;
  readonly method: LocalLearningMethod;
  readonly images: PlanImages;
  readonly catalog: Catalog;
}

/** The modules of a network, and which of them are recomputed: as the config says, or by predicted peaks. */
function cutsOf(backbone: Backbone, { config, method, images, catalog }: CutSetting): Cuts {
  const { memoryBudget, memory, modules } = config;
  if (memoryBudget === undefined && config.partition !== 'balanced-peak') {
    return { partition: resolvePartition(backbone.blocks, partitionOf(config, backbone.name), costOf), memory };
  }
  const { batch, accumulate } = { ...runDefaults, ...config };
  return withOptimizer(config, catalog, (optimizer) => {
    const trials = new TrialPlans({ backbone, method, batch, accumulate, optimizer, ...targetsOf(images, backbone) });
    if (memoryBudget !== undefined) {
      checkAlone(config);
      const budget = chooseWithinBudget(trials, budgetBytesOf(memoryBudget), formatBytes);
      return { partition: budget.partition, memory: budget.memory, budget };
    }
    const start = resolvePartition(
      backbone.blocks,
      { ...partitionOf({ ...config, partition: 'balanced-memory' }, backbone.name) },
      costOf,
    );
    const balanced = trials.balance(start);
    if (balanced === undefined) throw trials.problem ?? configError('modules', `${modules}; the method has no plan.`);
    return { partition: balanced.partition, memory };
  });
}

/** Lends the optimizer of a config. */
function withOptimizer<Result>(config: PlanConfig, catalog: Catalog, use: (optimizer: Optimizer) => Result): Result {
  const optimizer = optimizerOf({ ...runDefaults, ...config }, catalog);
  try {
    return use(optimizer);
  } finally {
    optimizer.dispose();
  }
}
