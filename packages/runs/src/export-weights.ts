import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type InputNormalization,
  layersModelFiles,
  pytorchFile,
  readBackbone,
  type WeightsExtra,
  weightsFile,
} from '@localgrad/backbones';
import { selectBackend } from '@localgrad/backends';
import {
  type Backbone,
  type BackboneFactory,
  type JsonObject,
  LocalgradError,
  type ParameterScope,
  readProblem,
  rejectUnknownKeys,
} from '@localgrad/core';
import { readWholeFile } from '@localgrad/core/folders';
import { trainedLayersModel } from '@localgrad/layers';
import { createScope } from '@localgrad/nn/random';
import { type LayersModelFiles, saveLayersModel } from '@localgrad/nn/serialization';
import { z } from 'zod';
import { type CheckpointPlace, checkpointedBackbone, type ExportedCheckpoint } from './checkpointed-backbone.js';
import { type NameOptions, resolveNames } from './config/resolve-names.js';
import { readBytesIfThere, writeWhole } from './folder/files.js';
import { sha256 } from './folder/hash.js';
import { runFiles } from './folder/run-folder.js';
import { lookForSummary, readSummary } from './folder/run-state.js';
import type { RunSummary } from './run-summary.js';

export const weightsFormats = ['pytorch', 'localgrad', 'tfjs-layers'] as const;
export type WeightsFormat = (typeof weightsFormats)[number];

/** Files of a finished run. */
export const runWeightsName = 'weights.safetensors';

export interface ExportOptions {
  /** A run folder or a safetensors file: from localgrad, or the PyTorch state dict of a ResNet. */
  readonly source: string;
  readonly format: WeightsFormat;
  /** Path of the file; of a folder for `tfjs-layers`. */
  readonly output: string;
  /** Height and width of images, for files that do not contain them. Default 32 × 32; 224 × 224 for ResNets of ImageNet. */
  readonly imageSize?: readonly [height: number, width: number];
  /** A checkpoint of the run in place of its final weights, which only a finished run has. */
  readonly checkpoint?: ExportedCheckpoint;
}

const optionNames = [
  'source',
  'format',
  'output',
  'imageSize',
  'checkpoint',
] as const satisfies readonly (keyof ExportOptions)[];

export interface ExportReport {
  readonly source: string;
  readonly format: WeightsFormat;
  /** Description of the exported files. */
  readonly files: readonly string[];
  readonly backbone: JsonObject;
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** Tensors of the backbone: weights and running statistics. */
  readonly tensors: number;
  /** Tensors of the source that were omitted: of auxiliary networks, or without the prefix. */
  readonly skipped: readonly string[];
  /** Prefix that was removed from the tensor names, e.g. `model.`; undefined if there was none. */
  readonly prefix?: string;
  /** Normalization of the images by channel; null if the source does not contain it. */
  readonly normalization: InputNormalization | null;
  /** Name of each class, in the order of the scores; null if the source does not contain them. */
  readonly classNames: readonly string[] | null;
  /** The checkpoint that was exported, if one was asked for. */
  readonly checkpoint?: CheckpointPlace;
}

/** A backbone with trained weights, and what is known about it. */
interface SourceBackbone
  extends Pick<ExportReport, 'tensors' | 'skipped' | 'prefix' | 'normalization' | 'classNames' | 'checkpoint'> {
  readonly backbone: Backbone;
}

/** Exports the weights of a network in another format. Files with other content are not overwritten. @throws LocalgradError */
export async function exportWeights(options: ExportOptions, names: NameOptions = {}): Promise<ExportReport> {
  rejectUnknownKeys('exportWeights', options, optionNames);
  const { source, format, output } = options;
  await checkOutput(format, output);
  // Values are only moved.
  const backend = await selectBackend('cpu');
  const scope = createScope(0);
  try {
    const { backbone, ...facts } = await sourceBackbone(options, { ...names, scope });
    checkImageSize(options, backbone);
    const contents = await contentsOf(backbone, facts, format);
    const written = contents.map(([name, content]) => [name === '' ? output : join(output, name), content] as const);
    for (const [file, content] of written) await rejectOther(file, content);
    for (const [file, content] of written) await writeWhole(file, content);
    const files = written.map(([file]) => file);
    const { config, inputShape, classes } = backbone;
    return { source, format, files, backbone: config, inputShape, classes, ...facts };
  } finally {
    for (const parameter of scope.all().values()) parameter.dispose();
    backend.dispose();
  }
}

async function sourceBackbone(
  { source, imageSize, checkpoint }: ExportOptions,
  { scope, ...names }: NameOptions & { readonly scope: ParameterScope },
): Promise<SourceBackbone> {
  if (checkpoint !== undefined) {
    return { ...(await checkpointedBackbone(source, checkpoint, { ...names, scope })), skipped: [] };
  }
  const { bytes, where, summary } = await readSource(source);
  const factoryOf = await factoryFor(summary, names);
  const { backbone, loaded, skipped, prefix, description } = readBackbone(bytes, {
    scope,
    where,
    ...(imageSize === undefined ? {} : { imageSize }),
    ...(factoryOf === undefined ? {} : { factoryOf }),
  });
  return {
    backbone,
    tensors: loaded,
    skipped,
    ...(prefix === undefined ? {} : { prefix }),
    normalization: description?.normalization ?? null,
    classNames: description?.classNames ?? null,
  };
}

/** @throws LocalgradError about an image size that the source, which contains its own, does not have */
function checkImageSize({ source, imageSize }: ExportOptions, { inputShape: [height, width] }: Backbone): void {
  if (imageSize === undefined || (imageSize[0] === height && imageSize[1] === width)) return;
  throw new LocalgradError(
    'invalid-option',
    `--image-size: ${imageSize.join('x')}, but '${source}' contains its image size, ${height}x${width}; remove the option.`,
    { source, imageSize: [height, width] },
  );
}

/**
 * The factory of a run's backbone, also if it belongs to a package or file of the project. Undefined for files without a
 * run, and for backbones of localgrad.
 */
async function factoryFor(
  summary: RunSummary | undefined,
  names: NameOptions,
): Promise<(() => BackboneFactory) | undefined> {
  const config = summary === undefined ? undefined : parsedNetwork.safeParse(summary.config).data;
  if (config === undefined) return undefined;
  const { backbone, width } = config;
  const { catalog, modules } = await resolveNames({ backbone }, names);
  return modules.length === 0 && names.catalog === undefined ? undefined : () => catalog.backbone(backbone, { width });
}

const parsedNetwork = z.looseObject({ backbone: z.string(), width: z.int().optional() });

/** By name relative to the output folder; a single output file has none. */
async function contentsOf(
  backbone: Backbone,
  { normalization, classNames }: Pick<SourceBackbone, 'normalization' | 'classNames'>,
  format: WeightsFormat,
): Promise<[name: string, content: string | Uint8Array][]> {
  const extra = {
    ...(normalization === null ? {} : { normalization }),
    ...(classNames === null ? {} : { classNames }),
  };
  if (format === 'pytorch') return [['', await pytorchFile(backbone)]];
  if (format === 'localgrad') return [['', await weightsFile(backbone, extra)]];
  const { model, weights } = (await ownLayersModel(backbone, extra)) ?? (await layersModelFiles(backbone, extra));
  // The model last: if it exists, so do its weights.
  return [
    ['weights.bin', weights],
    ['model.json', model],
  ];
}

/** Rejects a file with other content, which may be the only copy of trained weights. */
async function rejectOther(file: string, content: string | Uint8Array): Promise<void> {
  const found = await readBytesIfThere(file);
  if (found === undefined || found.equals(Buffer.from(content))) return;
  throw new LocalgradError(
    'invalid-option',
    `'${file}' exists with other content and is not overwritten. Move it, or choose another --output.`,
    { file },
  );
}

/** The user's model with the weights of the backbone; undefined for other backbones. */
async function ownLayersModel(backbone: Backbone, extra: WeightsExtra): Promise<LayersModelFiles | undefined> {
  const model = await trainedLayersModel(backbone);
  if (model === undefined) return undefined;
  try {
    const { config, inputShape, classes } = backbone;
    model.setUserDefinedMetadata({
      ...model.getUserDefinedMetadata(),
      localgrad: { backbone: config, inputShape, classes, ...extra },
    });
    return await saveLayersModel(model);
  } finally {
    model.dispose();
  }
}

interface Source {
  readonly bytes: Uint8Array;
  readonly where: string;
  /** Of the run that the weights belong to. */
  readonly summary?: RunSummary | undefined;
}

/** The weights in a run folder or file. @throws LocalgradError `invalid-data` */
export async function readSource(source: string): Promise<Source> {
  const isFolder = (await stat(source).catch(() => undefined))?.isDirectory() === true;
  const where = isFolder ? join(source, runWeightsName) : source;
  let bytes: Uint8Array;
  try {
    bytes = await readWholeFile(where);
  } catch (error) {
    const hint = isFolder ? ` ${await missingWeightsHint(source)}` : '';
    throw new LocalgradError(
      'invalid-data',
      `Cannot read '${where}': ${readProblem(error)}.${hint}`,
      { source, file: where },
      { cause: error },
    );
  }
  const summary = isFolder ? await readSummary(source) : undefined;
  const problem = weightsProblem(bytes, summary);
  if (problem !== undefined)
    throw new LocalgradError('invalid-data', `'${where}' is damaged: ${problem}.`, { file: where });
  return { bytes, where, summary };
}

async function missingWeightsHint(folder: string): Promise<string> {
  const { summary } = await lookForSummary(folder);
  if (summary === undefined) {
    return 'A run writes it when it has finished; --checkpoint last takes the newest checkpoint of another one.';
  }
  const again = `localgrad train ${join(folder, runFiles.config)} --output ${folder} --resume never`;
  return `The run has finished, but the file was removed; to train the run again: ${again}. If the run kept checkpoints, --checkpoint last takes the newest.`;
}

/** Problem of a run's weights according to the checksum in its summary. */
export function weightsProblem(
  bytes: Uint8Array | undefined,
  summary: Pick<RunSummary, 'weights'> | undefined,
): string | undefined {
  const expected = summary?.weights;
  if (expected === undefined) return undefined;
  if (bytes === undefined) return 'it is missing';
  if (bytes.length !== expected.bytes) return `it has ${bytes.length} bytes instead of ${expected.bytes}`;
  return sha256(bytes) === expected.sha256 ? undefined : 'its checksum differs from the one in summary.json';
}

async function checkOutput(format: WeightsFormat, output: string): Promise<void> {
  const found = await stat(output).catch(() => undefined);
  if (found === undefined || found.isDirectory() === (format === 'tfjs-layers')) return;
  const allowed = format === 'tfjs-layers' ? 'a folder, for model.json and weights.bin' : 'a file';
  throw new LocalgradError(
    'invalid-option',
    `--output: '${output}' exists and is ${found.isDirectory() ? 'a folder' : 'a file'}; format ${format} needs ${allowed}.`,
    { output, format },
  );
}
