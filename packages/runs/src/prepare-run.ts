import { readFile } from 'node:fs/promises';
import { backboneFactory, loadWeights, publishedPartition } from '@localgrad/backbones';
import { createMethod } from '@localgrad/catalog';
import {
  createNetwork,
  LocalgradError,
  type Network,
  type ParameterScope,
  type PartitionSpec,
  resolvePartition,
  type Shape3,
} from '@localgrad/core';
import { augmentations, createBatches, type DatasetSplits, type Normalization } from '@localgrad/data';
import { type CompiledPlan, compilePlan } from '@localgrad/engine';
import { loadNamedOrFolder } from '@localgrad/image-data';
import { costOf, createSchedule, createScope, sgd } from '@localgrad/nn';
import type { TrainOptions } from '@localgrad/train';
import { inFlags } from './config/flag-names.js';
import type { RunConfig } from './config/run-config.js';

export type NetworkConfig = Pick<RunConfig, 'backbone' | 'width' | 'modules' | 'partition' | 'stemModule'>;

/** The network of a config, with fresh weights in `scope`. @throws LocalgradError */
export function buildNetwork(
  config: NetworkConfig,
  inputShape: Shape3,
  classes: number,
  scope: ParameterScope,
): Network {
  const factory = backboneFactory(config.backbone, config.width === undefined ? {} : { width: config.width });
  const backbone = factory.build({ inputShape, classes, scope });
  return createNetwork(backbone, resolvePartition(backbone.blocks, partitionOf(config), costOf));
}

function partitionOf({ backbone, modules, partition, stemModule }: NetworkConfig): PartitionSpec {
  if (Array.isArray(partition)) return { sizes: partition };
  if (partition === 'published') return { lastBlocks: publishedPartition(backbone, modules) };
  return { modules, strategy: partition as 'even', ...(stemModule === undefined ? {} : { stemModule }) };
}

/** A network with a method's plan, compiled. `dispose` frees every weight. */
export interface BuiltPlan {
  readonly network: Network;
  readonly compiled: CompiledPlan;
  dispose(): void;
}

export type PlanConfig = NetworkConfig & Pick<RunConfig, 'method' | 'memory' | 'seed'>;

/** @throws LocalgradError */
export function buildPlan(config: PlanConfig, inputShape: Shape3, classes: number): Promise<BuiltPlan> {
  return inFlags(config, () => buildPlanOf(config, inputShape, classes));
}

async function buildPlanOf(config: PlanConfig, inputShape: Shape3, classes: number): Promise<BuiltPlan> {
  const method = await createMethod(config.method);
  const scope = createScope(config.seed);
  const dispose = () => {
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  try {
    const network = buildNetwork(config, inputShape, classes, scope);
    const compiled = compilePlan(network, method.plan(network), { scope, memory: config.memory });
    return { network, compiled, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The images of a config. @throws LocalgradError in terms of flags */
export function loadData(config: RunConfig): Promise<DatasetSplits> {
  const { dataset, dataFolder, resize, pad, trainImages, testImages } = config;
  const options = { folder: dataFolder, resize, pad, train: trainImages, test: testImages };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return inFlags(config, () => loadNamedOrFolder(dataset, given));
}

/** What `train` needs, made from a config, and how to free it. */
export interface PreparedRun {
  readonly compiled: CompiledPlan;
  readonly options: TrainOptions;
  /** Of the training images, and so of all that the network will see. */
  readonly normalization: Normalization;
  /** What the user should know of it, though it ends nothing. */
  readonly notices: readonly string[];
  dispose(): void;
}

/** Builds network, plan, optimizer and batches; the backend runs already. @throws LocalgradError in terms of flags */
export function prepareRun(config: RunConfig, data: DatasetSplits): Promise<PreparedRun> {
  return inFlags(config, () => prepare(config, data));
}

async function prepare(config: RunConfig, data: DatasetSplits): Promise<PreparedRun> {
  const { train, test } = data;
  const { learningRate, momentum, nesterov, weightDecay, batch, seed, epochs, logEvery } = config;
  const plan = await buildPlan(config, train.imageShape, train.classes.length);
  const notices: string[] = [];
  if (config.initialWeights !== undefined) {
    try {
      const { initialWeights } = config;
      const { prefix } = loadWeights(plan.network, await readWeights(initialWeights), initialWeights);
      if (prefix !== undefined) notices.push(`${initialWeights}: the prefix '${prefix}' of its tensors was dropped.`);
    } catch (error) {
      plan.dispose();
      throw error;
    }
  }
  const batches = createBatches(train, {
    batchSize: batch,
    shuffle: true,
    seed,
    augmentation: augmentations[config.augment],
    withImages: plan.compiled.reads.includes('images'),
  });
  const testBatches = createBatches(test, {
    batchSize: Math.min(batch, test.size),
    normalization: batches.normalization,
  });
  const optimizer = sgd({ learningRate, momentum, nesterov: nesterov && momentum > 0, weightDecay });
  const schedule = createSchedule({
    schedule: config.schedule,
    learningRate,
    ...(config.warmup === undefined ? {} : { warmup: config.warmup }),
  });
  return {
    compiled: plan.compiled,
    normalization: batches.normalization,
    notices,
    options: { compiled: plan.compiled, optimizer, learningRate: schedule, batches, testBatches, epochs, logEvery },
    dispose() {
      optimizer.dispose();
      plan.dispose();
    },
  };
}

async function readWeights(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const message = `Cannot read the initial weights '${file}': ${(error as Error).message}.`;
    throw new LocalgradError('invalid-data', message, { file }, { cause: error });
  }
}
