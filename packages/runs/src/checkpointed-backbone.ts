import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  backboneParameters,
  type InputNormalization,
  type WeightsExtra,
  weightsDescription,
} from '@localgrad/backbones';
import {
  type Backbone,
  LocalgradError,
  type Parameter,
  type ParameterScope,
  type Shape3,
  sameShape,
} from '@localgrad/core';
import type { StoredTensor } from '@localgrad/nn/serialization';
import { accuracyMetric, choiceValue, type EvaluationSet, metricValue } from '@localgrad/train';
import * as tf from '@tensorflow/tfjs';
import { CheckpointFolder, type StoredCheckpoint } from './checkpoints/checkpoint-folder.js';
import { preparationOf } from './config/augmentation.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import { type RunConfig, runConfigSchema } from './config/run-config.js';
import { readBytesIfThere } from './folder/files.js';
import { runFiles } from './folder/run-folder.js';
import { type RunIdentity, readIdentity } from './identity/run-identity.js';
import { checkpointsIn } from './lost-attempt.js';

/** Checkpoints of a run that can be exported. */
export const exportedCheckpoints = ['best', 'last'] as const;
export type ExportedCheckpoint = (typeof exportedCheckpoints)[number];

/** The place of a checkpoint in its run. */
export interface CheckpointPlace {
  /** Completed steps. */
  readonly step: number;
  /** Completed epochs. */
  readonly epochs: number;
  /** Accuracy at the end of the epoch, in [0, 1], by which the best one is chosen; null within an epoch, and if `metric` is. */
  readonly accuracy: { readonly set: EvaluationSet; readonly value: number } | null;
  /** The metric by which the best one is chosen, if the run names another one than accuracy. */
  readonly metric?: { readonly name: string; readonly set: EvaluationSet; readonly value: number };
}

/** A backbone with the weights of a checkpoint. */
export interface CheckpointedBackbone {
  readonly backbone: Backbone;
  /** Null if it is unknown: of unfinished runs of older versions whose normalization is measured. */
  readonly normalization: InputNormalization | null;
  /** Null of unfinished runs of older versions, and if the images have no classes. */
  readonly classNames: readonly string[] | null;
  /** Number of tensors of the backbone. */
  readonly tensors: number;
  readonly checkpoint: CheckpointPlace;
}

/**
 * The backbone of a run as a checkpoint has it, also of a run that has not finished. A finished run has checkpoints only
 * if it was asked to keep some.
 *
 * @param which `best` by the metric of the run (accuracy, unless it names another one) on validation images, or on test images
 * without validation images; `last`
 * @throws LocalgradError `invalid-data`
 */
export async function checkpointedBackbone(
  folder: string,
  which: ExportedCheckpoint,
  { scope, ...names }: NameOptions & { readonly scope: ParameterScope },
): Promise<CheckpointedBackbone> {
  const identity = await requireIdentity(folder);
  const config = runConfigSchema.parse(identity.config);
  const { shape, classes } = identity.training;
  const { catalog } = await resolveNames({ backbone: config.backbone }, names);
  const backbone = catalog
    .backbone(config.backbone, { width: config.width })
    .build({ inputShape: shape as unknown as Shape3, classes: Math.max(1, classes), scope });
  const stored = await storedCheckpoint(folder, which, identity.runId);
  const parameters = backboneParameters(backbone);
  for (const parameter of parameters.values()) assign(parameter, stored);
  const declared = preparationOf(config).normalization;
  const images = await imagesOf(folder, stored).catch((error: unknown) => {
    // Damaged final weights may be why a checkpoint is wanted.
    if (declared === undefined) throw error;
    return undefined;
  });
  return {
    backbone,
    normalization: declared ?? images?.normalization ?? null,
    classNames: images?.classNames ?? null,
    tensors: parameters.size,
    checkpoint: placeOf(stored),
  };
}

/** @throws LocalgradError `invalid-data` for a folder that is not a run's */
export async function requireIdentity(folder: string): Promise<RunIdentity> {
  const identity = await readIdentity(join(folder, runFiles.identity));
  if (identity !== undefined) return identity;
  const problem = `'${folder}' is not the folder of a run: it has no ${runFiles.identity}.`;
  throw new LocalgradError('invalid-data', problem, { folder });
}

/** What keeps each checkpoint of a finished run. */
const keptBy: Readonly<Record<ExportedCheckpoint, string>> = {
  best: '--keep-best (in an experiment file, checkpoints: { keepBest: true })',
  last: '--keep-last 1 (in an experiment file, checkpoints: { keepLast: 1 })',
};

/** @throws LocalgradError `invalid-data` if the run has no such checkpoint */
export async function storedCheckpoint(
  folder: string,
  which: ExportedCheckpoint,
  runId: string,
): Promise<StoredCheckpoint<unknown>> {
  const problems: string[] = [];
  const checkpoints = new CheckpointFolder<unknown>(checkpointsIn(folder), {
    runId,
    attempt: Number.POSITIVE_INFINITY,
    onProblem: (message) => problems.push(message),
  });
  const best = which === 'best' ? await checkpoints.best() : undefined;
  if (best !== undefined) return best;
  // Reports damaged ones, too.
  const last = await checkpoints.latest();
  if (last !== undefined && which === 'last') return last;
  const isFinished = existsSync(join(folder, runFiles.summary));
  const why =
    last !== undefined
      ? 'none of its checkpoints is at the end of an evaluated epoch.'
      : (problems[0] ??
        (isFinished
          ? `a finished run keeps none by default; train with ${keptBy[which]}.`
          : 'it has not saved one yet.'));
  throw new LocalgradError('invalid-data', `'${folder}' has no ${which} checkpoint: ${why}`, { folder });
}

/** Loads a parameter from a checkpoint. @throws LocalgradError `invalid-data` */
export function assign(parameter: Parameter, stored: StoredCheckpoint<unknown>): void {
  const { name, shape } = parameter;
  const tensor: StoredTensor | undefined = stored.tensors.get(`parameters/${name}`);
  if (tensor === undefined || !sameShape(tensor.shape, shape)) {
    const found = tensor === undefined ? 'is missing' : `has shape ${tensor.shape.join('×')}`;
    throw new LocalgradError(
      'invalid-data',
      `Checkpoint '${stored.name}' does not fit the run's backbone: '${name}' ${found}. Was its code changed since?`,
      { checkpoint: stored.name, name },
    );
  }
  parameter.assign(tf.tensor(tensor.data as Float32Array, [...shape]));
}

export function placeOf({ progress }: StoredCheckpoint<unknown>): CheckpointPlace {
  const { step, batchesDone, records } = progress;
  const last = records.at(-1);
  const value = last === undefined || batchesDone > 0 ? undefined : choiceValue(last);
  const place = { step, epochs: records.length };
  if (last === undefined || value === undefined) return { ...place, accuracy: null };
  const { metric } = last;
  const set = metricValue(last, 'validation', metric ?? accuracyMetric) === undefined ? 'test' : 'validation';
  if (metric === undefined) return { ...place, accuracy: { set, value } };
  return { ...place, accuracy: null, metric: { name: metric.name, set, value } };
}

/** As the config says, or else as a finished run records it in its weights, or the checkpoint; null of older checkpoints. */
export async function normalizationOf(
  folder: string,
  config: RunConfig,
  checkpoint?: StoredCheckpoint<unknown>,
): Promise<InputNormalization | null> {
  return preparationOf(config).normalization ?? (await imagesOf(folder, checkpoint))?.normalization ?? null;
}

/** As the checkpoint records them, or else the weights of a finished run; undefined if neither does. */
async function imagesOf(folder: string, checkpoint?: StoredCheckpoint<unknown>): Promise<WeightsExtra | undefined> {
  // The description has a checksum, and is what this package wrote; older versions recorded no images.
  const notes = checkpoint?.notes as { readonly images?: WeightsExtra } | null | undefined;
  if (notes?.images !== undefined) return notes.images;
  const bytes = await readBytesIfThere(join(folder, runFiles.weights));
  return bytes === undefined ? undefined : weightsDescription(bytes, runFiles.weights);
}
