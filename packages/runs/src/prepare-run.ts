import { asynchronous, type ModuleTiming } from '@localgrad/asynchronous';
import { type WeightsExtra, weightsExtra } from '@localgrad/backbones';
import { rejectUnknownKeys } from '@localgrad/core';
import { type CompiledPlan, createTrainStep, type TrainStep } from '@localgrad/engine';
import type { MachineGroup } from '@localgrad/pipeline';
import type { TrainOptions } from '@localgrad/train';
import { buildPlan } from './build-plan.js';
import { checkImages } from './config/check-images.js';
import { checkMetric } from './config/check-metric.js';
import { checkDelays } from './config/gradient-delay.js';
import { optimizerOf, scheduleOf } from './config/optimization.js';
import { type NameOptions, nameOptionNames, resolveNames } from './config/resolve-names.js';
import type { RunConfig } from './config/run-config.js';
import { placementText } from './pipeline/choose-placement.js';
import { isPipelined } from './pipeline/is-pipelined.js';
import { type RunPipelineOptions, runAsynchronousPipeline, runPipeline } from './pipeline/run-pipeline.js';
import { ruleNotices } from './rule-notices.js';
import { createRunBatches, withFirstBatch } from './run-batches.js';
import type { RunSplits } from './run-images.js';
import { tryOneImage } from './try-one-image.js';
import { untrainedNotice } from './untrained-notice.js';

/** Arguments for `train`, built from a config; free them with `dispose`. */
export interface PreparedRun {
  readonly compiled: CompiledPlan;
  readonly options: TrainOptions;
  /** Normalization of the images and names of the classes, stored with the weights. */
  readonly extra: WeightsExtra;
  /** Warnings for the user. */
  readonly notices: readonly string[];
  /** Measures how often each module has trained, and on which batches; present for asynchronous workers. */
  readonly timing?: () => readonly ModuleTiming[];
  dispose(): void;
}

/** Predicts the memory of a run's steps by batch size. */
export function predictionOf({ options }: PreparedRun): TrainStep['predict'] {
  const { createStep = createTrainStep, pipeline, compiled, optimizer, learningRate, accumulate = 1 } = options;
  if (pipeline !== undefined) return (batch) => pipeline.predict(batch, { optimizer, accumulate });
  return (batch) => {
    const step = createStep({ compiled, optimizer, learningRate, accumulate });
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
  options: PrepareOptions = {},
): Promise<PreparedRun> {
  rejectUnknownKeys('prepareRun', options, [...nameOptionNames, 'machines', 'signal']);
  const { machines, signal, ...names } = options;
  checkImages(config, data);
  const { catalog } = await resolveNames(config, names);
  const plan = await buildPlan(config, data.train, { ...names, catalog });
  const optimizer = await disposingOnError(plan, () => optimizerOf(config, catalog));
  const dispose = () => {
    optimizer.dispose();
    plan.dispose();
  };
  return disposingOnError({ dispose }, async () => {
    checkDelays(config, plan.compiled);
    await checkMetric(config, plan.compiled, data.train);
    const notices: string[] = plan.budget === undefined ? [] : [`memoryBudget: ${plan.budget.reason}`];
    if (plan.loaded?.prefix !== undefined) {
      notices.push(`${config.initialWeights}: the prefix '${plan.loaded.prefix}' of its tensors was dropped.`);
    }
    if (plan.loaded?.untouched !== undefined) {
      notices.push(
        `${config.initialWeights}: ${plan.loaded.loaded} tensors loaded; at random start ${plan.loaded.untouched.join(', ')}.`,
      );
    }
    const { compiled, asynchrony } = plan;
    const { seed, epochs, evaluateEvery, logEvery, accumulate, recordSteps, metric } = config;
    const workers =
      asynchrony !== undefined && isPipelined(config)
        ? await runAsynchronousPipeline(config, { compiled, optimizer, images: data.train, names }, asynchrony)
        : undefined;
    const { batches, validationBatches, testBatches } = await createRunBatches(
      config,
      data,
      compiled.reads.includes('images'),
    );
    await tryOneImage(config, data.train, batches, names);
    const untrained = untrainedNotice(compiled, epochs, batches.batchesPerEpoch);
    if (untrained !== undefined) notices.push(untrained);
    notices.push(...ruleNotices(compiled, optimizer));
    const withBatch: RunPipelineOptions['withBatch'] = (use) => withFirstBatch(batches, use);
    const divided =
      workers === undefined
        ? await runPipeline(config, { compiled, optimizer, images: data.train, names, machines, withBatch, signal })
        : undefined;
    const pipeline = workers ?? divided?.pipeline;
    if (divided !== undefined && divided.chosen.basis !== 'given') notices.push(placementText(divided.chosen));
    return {
      compiled,
      extra: weightsExtra(batches.normalization, data.train.classes),
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
        evaluateEvery,
        logEvery,
        accumulate,
        seed,
        recordSteps,
        ...(metric === undefined ? {} : { metric }),
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
