import { totalmem } from 'node:os';
import { type AsynchronousOptions, asynchronous, type ModuleTiming } from '@localgrad/asynchronous';
import { partitionTables, publishedPartition } from '@localgrad/backbones';
import { type Catalog, standardCatalog } from '@localgrad/catalog';
import {
  type Backbone,
  createNetwork,
  type LocalLearningMethod,
  type Network,
  type ParameterScope,
  type Partition,
  type PartitionSpec,
  resolvePartition,
  type Shape3,
} from '@localgrad/core';
import type { Normalization } from '@localgrad/data';
import { type CompiledPlan, compilePlan, createTrainStep, type MemoryPolicy, type TrainStep } from '@localgrad/engine';
import { costOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import type { MachineGroup } from '@localgrad/pipeline';
import { formatBytes, type TrainOptions } from '@localgrad/train';
import { outputsOf, type PlanImages, targetsOf } from './batch-targets.js';
import { checkAlone } from './budget/check-alone.js';
import { type BudgetChoice, budgetBytesOf, chooseWithinBudget } from './budget/memory-budget.js';
import { TrialPlans } from './budget/trial-plans.js';
import { asynchronyOf } from './config/asynchrony.js';
import { checkImages } from './config/check-images.js';
import { configError } from './config/config-error.js';
import { gradientDelayOf } from './config/gradient-delay.js';
import { type OptimizerConfig, optimizerOf, runDefaults, scheduleOf } from './config/optimization.js';
import { inTermsOfKeys } from './config/option-keys.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { loadInitialWeights } from './load-initial-weights.js';
import { placementText } from './pipeline/choose-placement.js';
import { isPipelined } from './pipeline/is-pipelined.js';
import { type RunPipelineOptions, runAsynchronousPipeline, runPipeline } from './pipeline/run-pipeline.js';
import { createRunBatches, withFirstBatch } from './run-batches.js';
import type { RunSplits } from './run-images.js';

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
      | keyof OptimizerConfig
    >
  >;

export interface BuildOptions extends NameOptions {
  /** Leave all weights 0, where the plan is only described. Default false. */
  readonly zeros?: boolean;
}

/** @throws LocalgradError */
export function buildPlan(config: PlanConfig, images: PlanImages, options: BuildOptions = {}): Promise<BuiltPlan> {
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
    const { delay = 0 } = config;
    const gradientDelay = gradientDelayOf(config);
    const options = { scope, memory, delay, gradientDelay, ...targetsOf(images) };
    const compiled = compilePlan(network, method.plan(network), options);
    const asynchrony = asynchronyOf(config, compiled);
    const choices = {
      ...(budget === undefined ? {} : { budget }),
      ...(asynchrony === undefined ? {} : { asynchrony }),
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
  const { batch, accumulate, ...optimization } = { ...runDefaults, ...config };
  const optimizer = optimizerOf(optimization, catalog);
  try {
    const trials = new TrialPlans({ backbone, method, batch, accumulate, optimizer, ...targetsOf(images) });
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
  } finally {
    optimizer.dispose();
  }
}

/** Arguments for `train`, built from a config; free them with `dispose`. */
export interface PreparedRun {
  readonly compiled: CompiledPlan;
  readonly options: TrainOptions;
  /** Of the training images, and so of all that the network will see. */
  readonly normalization: Normalization;
  /** Warnings for the user. */
  readonly notices: readonly string[];
  /** Measures how often each module has trained, and on which batches; present for asynchronous workers. */
  readonly timing?: () => readonly ModuleTiming[];
  dispose(): void;
}

/** Predicts the memory of a run's steps by batch size. */
export function predictionOf({ options }: PreparedRun): TrainStep['predict'] {
  const { createStep = createTrainStep, pipeline, optimizer, accumulate = 1 } = options;
  if (pipeline !== undefined) return (batch) => pipeline.predict(batch, { optimizer, accumulate });
  return (batch) => {
    const step = createStep(options);
    try {
      return step.predict(batch);
    } finally {
      step.dispose();
    }
  };
}

/** Options of `prepareRun`. */
export interface PrepareOptions extends NameOptions {
  /** The machines of all workers but the first; see `openMachines`. */
  readonly machines?: MachineGroup | undefined;
  /** Stops the measurement of a pipeline's modules, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Builds network, plan, optimizer and batches; the backend must be running. @throws LocalgradError */
export async function prepareRun(
  config: RunConfig,
  data: RunSplits,
  { machines, signal, ...names }: PrepareOptions = {},
): Promise<PreparedRun> {
  checkImages(config, data);
  const { catalog } = await resolveNames(config, names);
  const plan = await buildPlan(config, data.train, { ...names, catalog });
  const optimizer = await disposingOnError(plan, () => optimizerOf(config, catalog));
  const dispose = () => {
    optimizer.dispose();
    plan.dispose();
  };
  return disposingOnError({ dispose }, async () => {
    const notices: string[] = plan.budget === undefined ? [] : [`memoryBudget: ${plan.budget.reason}`];
    if (config.initialWeights !== undefined) {
      const { initialWeights } = config;
      const { prefix } = await loadInitialWeights(plan, initialWeights);
      if (prefix !== undefined) notices.push(`${initialWeights}: the prefix '${prefix}' of its tensors was dropped.`);
    }
    const { compiled, asynchrony } = plan;
    const { seed, epochs, logEvery, accumulate, recordSteps } = config;
    const workers =
      asynchrony !== undefined && isPipelined(config)
        ? await runAsynchronousPipeline(config, compiled, data.train, names, asynchrony)
        : undefined;
    const { batches, validationBatches, testBatches } = await createRunBatches(
      config,
      data,
      compiled.reads.includes('images'),
    );
    const withBatch: RunPipelineOptions['withBatch'] = (use) => withFirstBatch(batches, use);
    const divided =
      workers === undefined
        ? await runPipeline(config, { compiled, images: data.train, names, machines, withBatch, signal })
        : undefined;
    const pipeline = workers ?? divided?.pipeline;
    if (divided !== undefined && divided.chosen.basis !== 'given') notices.push(placementText(divided.chosen));
    return {
      compiled,
      normalization: batches.normalization,
      notices,
      ...(workers === undefined ? {} : { timing: () => workers.timing() }),
      dispose,
      options: {
        compiled,
        optimizer,
        batches,
        ...(validationBatches === undefined ? {} : { validationBatches }),
        testBatches,
        epochs,
        logEvery,
        accumulate,
        seed,
        recordSteps,
        learningRate: scheduleOf(config, catalog),
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(asynchrony === undefined || workers !== undefined ? {} : { createStep: asynchronous(asynchrony) }),
      },
    };
  });
}

/** Runs `create`; disposes `owner` if it fails. */
async function disposingOnError<Result>(
  owner: { dispose(): void },
  create: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await create();
  } catch (error) {
    owner.dispose();
    throw error;
  }
}
