import { endToEndMethod, standardCatalog } from '@localgrad/catalog';
import { createNetwork, type Network, type Optimizer, resolvePartition, type Schedule } from '@localgrad/core';
import { type Batches, createBatches, type DatasetSplits } from '@localgrad/data';
import { type CompiledPlan, compilePlan, describePlan, type PlanDescription } from '@localgrad/engine';
import { costOf } from '@localgrad/nn/cost';
import { createScope } from '@localgrad/nn/random';
import { fixedSettings, type RunSettings, type Settings, type SharedSettings } from '../settings/settings.js';

/** A network with a method's plan, its optimizer and its images. Owned by the caller. */
export interface PreparedRun {
  readonly network: Network;
  readonly compiled: CompiledPlan;
  readonly optimizer: Optimizer;
  readonly learningRate: Schedule;
  readonly batches: Batches;
  readonly classNames: readonly string[];
  readonly testBatches: Batches;
  dispose(): void;
}

/** Builds everything that a run needs; the backend must be running. @throws LocalgradError */
export function prepareRun({ shared, runs }: Settings, index: number, data: DatasetSplits): PreparedRun {
  const run = runs[index];
  if (run === undefined) throw new Error(`There is no run ${index}.`);
  const { network, compiled, dispose } = buildPlan(shared, run, data);
  try {
    const { batch: batchSize, seed, learningRate: rate } = shared;
    const { momentum, nesterov, weightDecay, schedule, warmup } = fixedSettings;
    const withImages = compiled.reads.includes('images');
    const batches = createBatches(data.train, { batchSize, shuffle: true, seed, withImages });
    const { normalization } = batches;
    const optimizer = optimizerOf(rate, { momentum, nesterov, weightDecay });
    return {
      network,
      compiled,
      optimizer,
      learningRate: standardCatalog.schedule(schedule, { learningRate: rate, warmup }),
      batches,
      classNames: data.train.classes,
      testBatches: createBatches(data.test, { batchSize: Math.min(batchSize, data.test.size), normalization }),
      dispose() {
        optimizer.dispose();
        dispose();
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A plan and that of end-to-end training of the same network. */
export interface DescribedPlans {
  readonly description: PlanDescription;
  readonly endToEnd: PlanDescription;
}

/** Predicts work and memory of a run's plan, and of end-to-end training. @throws LocalgradError */
export function describeRun({ shared, runs }: Settings, index: number, data: DatasetSplits): DescribedPlans {
  const run = runs[index];
  if (run === undefined) throw new Error(`There is no run ${index}.`);
  const described = (method: string): PlanDescription => {
    const plan = buildPlan(shared, { ...run, method }, data);
    const optimizer = optimizerOf(shared.learningRate, { momentum: fixedSettings.momentum });
    try {
      return describePlan(plan.compiled, shared.batch, { optimizer });
    } finally {
      optimizer.dispose();
      plan.dispose();
    }
  };
  const description = described(run.method);
  return { description, endToEnd: run.method === endToEndMethod ? description : described(endToEndMethod) };
}

function optimizerOf(learningRate: number, options: Readonly<Record<string, number | boolean>>): Optimizer {
  return standardCatalog.optimizer('sgd', { learningRate, ...options });
}

function buildPlan(
  { backbone: expression, width, seed }: SharedSettings,
  { method, modules }: RunSettings,
  { train: { imageShape, classes } }: DatasetSplits,
) {
  const scope = createScope(seed);
  const dispose = () => {
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  try {
    const backbone = backboneOf(expression, width).build({ inputShape: imageShape, classes: classes.length, scope });
    const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }, costOf));
    const plan = standardCatalog.method(method).plan(network);
    return { network, compiled: compilePlan(network, plan, { scope, targets: ['images', 'labels'] }), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The width goes to backbones that have one. */
function backboneOf(expression: string, width: number) {
  const name = expression.split('(')[0]?.trim() ?? '';
  const takesWidth = standardCatalog.entry('backbones', name)?.options?.includes('width') === true;
  return standardCatalog.backbone(expression, takesWidth ? { width } : {});
}
