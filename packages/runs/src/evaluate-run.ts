import { join } from 'node:path';
import { type InputNormalization, loadWeights } from '@localgrad/backbones';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import {
  formatShape,
  type Head,
  LocalgradError,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  sameShape,
} from '@localgrad/core';
import { type EvaluationOptions, evaluateNetwork, finalHeadOf } from '@localgrad/train';
import { type BuiltPlan, buildPlan } from './build-plan.js';
import {
  assign,
  type CheckpointPlace,
  type ExportedCheckpoint,
  exportedCheckpoints,
  normalizationOf,
  placeOf,
  requireIdentity,
  storedCheckpoint,
} from './checkpointed-backbone.js';
import type { StoredCheckpoint } from './checkpoints/checkpoint-folder.js';
import { configError } from './config/config-error.js';
import type { NameOptions } from './config/resolve-names.js';
import { type RunConfig, runConfigSchema } from './config/run-config.js';
import { readSource } from './export-weights.js';
import { canonicalJson } from './folder/hash.js';
import { readRunConfig, runFiles } from './folder/run-folder.js';
import { lookForEnvironment } from './folder/run-state.js';
import { fingerprintOf } from './identity/fingerprint.js';
import type { RunIdentity } from './identity/run-identity.js';
import { loadData } from './load-data.js';
import { mainThreadsOf } from './pipeline/run-pipeline.js';
import { createRunBatches } from './run-batches.js';
import type { RunSplits } from './run-images.js';

/** Options of `evaluateRun`. */
export interface EvaluateRunOptions extends EvaluationOptions {
  /** The folder of a run. */
  readonly folder: string;
  /** A checkpoint of the run in place of its final weights, which only a finished run has. */
  readonly checkpoint?: ExportedCheckpoint;
  /** Data set expression or folder of images whose test images are used in place of those of the run. */
  readonly dataset?: string;
  /** Folder with the files of the data set, if it has moved or `dataset` needs one. */
  readonly dataFolder?: string;
  /** Number of test images to use, balanced across classes. */
  readonly testImages?: number;
  /** Images per batch. Default: that of the run. */
  readonly batch?: number;
  /** Default: the backend that the run was trained on. */
  readonly backend?: string;
  /** Default: as the run's config says. */
  readonly threads?: number | 'auto';
  /** Receives problems that do not end the evaluation. */
  readonly onProblem?: (message: string) => void;
}

/** Metrics of a run's network on test images. */
export interface RunEvaluation {
  readonly folder: string;
  readonly runId: string;
  readonly method: string;
  readonly backbone: string;
  /** Data set of the test images. */
  readonly dataset: string;
  /** Place of the evaluated checkpoint; absent for the final weights. */
  readonly checkpoint?: CheckpointPlace;
  readonly backend: string;
  readonly scales: readonly number[];
  readonly flip: boolean;
  /** Number of test images. */
  readonly samples: number;
  /** Metrics by name, fractions in [0, 1] except `loss`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Metrics that the run recorded of these weights on its test images; null if it recorded none. */
  readonly recorded: Readonly<Record<string, number>> | null;
  /** Present if a metric is not finite. */
  readonly diverged?: true;
  /** Seconds of the evaluation, without loading. */
  readonly seconds: number;
}

const optionNames = [
  ...(['folder', 'checkpoint', 'dataset', 'dataFolder', 'testImages', 'batch', 'backend', 'threads'] as const),
  ...(['scales', 'flip', 'signal', 'onProgress', 'onProblem'] as const),
] satisfies readonly (keyof EvaluateRunOptions)[];

/**
 * Evaluates the network of a run on test images, with its final weights or those of a checkpoint. Reads the run folder, and writes
 * nothing there.
 *
 * @throws LocalgradError `invalid-data` for a folder without a run or without these weights, `invalid-option`
 */
export async function evaluateRun(options: EvaluateRunOptions, names: NameOptions = {}): Promise<RunEvaluation> {
  checkOptions(options);
  const { folder, checkpoint, scales = [1], flip = false, signal, onProgress } = options;
  const identity = await requireIdentity(folder);
  const weights = await (checkpoint === undefined ? finalWeights(folder) : weightsOf(folder, checkpoint, identity));
  const { config, normalization } = await configOf(options, weights.stored);
  const data = await loadData(config, names);
  signal?.throwIfAborted();
  await checkTestImages(data, identity, options);
  const backend = await startBackend(config, options);
  try {
    const plan = await planOf(config, data, identity, names);
    try {
      const head = finalHeadOf(plan.compiled);
      checkHead(head, data, plan, options);
      weights.load(plan, head);
      const batch = Math.min(config.batch, data.train.size);
      const { testBatches } = await createRunBatches({ ...config, batch }, data, false, normalization);
      const startedAt = performance.now();
      const { metrics, samples, diverged } = await evaluateNetwork(plan.network, testBatches, head, {
        ...{ scales, flip },
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onProgress }),
      });
      const { method, backbone, dataset } = config;
      return {
        ...{ folder, runId: identity.runId, method, backbone, dataset },
        ...(weights.stored === undefined ? {} : { checkpoint: placeOf(weights.stored) }),
        ...{ backend: backend.name, scales, flip, samples, metrics },
        recorded: hasOwnImages(options) ? (weights.recorded ?? null) : null,
        ...(diverged === undefined ? {} : { diverged }),
        seconds: (performance.now() - startedAt) / 1000,
      };
    } finally {
      plan.dispose();
    }
  } finally {
    backend.dispose();
  }
}

function checkOptions(options: EvaluateRunOptions): void {
  const where = 'evaluateRun';
  rejectUnknownKeys(where, options, optionNames);
  const { checkpoint, batch = 1, testImages = 1 } = options;
  const isCheckpoint = checkpoint === undefined || exportedCheckpoints.includes(checkpoint);
  requireOption(isCheckpoint, where, 'checkpoint', checkpoint, exportedCheckpoints.join(', '));
  for (const [name, value] of Object.entries({ batch, testImages })) {
    requireOption(Number.isInteger(value) && value >= 1, where, name, value, 'integers ≥ 1');
  }
}

/** Whether the test images are those that the run was evaluated on. */
function hasOwnImages({ dataset, testImages }: EvaluateRunOptions): boolean {
  return dataset === undefined && testImages === undefined;
}

/** Weights that are not loaded yet. */
interface FoundWeights {
  /** Absent for the final weights. */
  readonly stored?: StoredCheckpoint<unknown>;
  /** Metrics on the test images, if the run has recorded them. */
  readonly recorded: Readonly<Record<string, number>> | undefined;
  /** @throws LocalgradError `invalid-data` if they do not fit */
  load(plan: BuiltPlan, head: Head): void;
}

async function finalWeights(folder: string): Promise<FoundWeights> {
  const { bytes, where, summary } = await readSource(folder);
  return {
    recorded: summary?.epochs.at(-1)?.testMetrics,
    load: ({ network }, head) => {
      if (head !== network.backbone.classifier) {
        throw new LocalgradError(
          'invalid-data',
          `'${where}' contains the backbone alone, but the final head of the run, '${head.name}', belongs to its method. Only checkpoints contain it: train with --keep-last 1, and evaluate with --checkpoint last.`,
          { folder, head: head.name },
        );
      }
      loadWeights(network, bytes, where);
    },
  };
}

async function weightsOf(folder: string, which: ExportedCheckpoint, { runId }: RunIdentity): Promise<FoundWeights> {
  const stored = await storedCheckpoint(folder, which, runId);
  const { batchesDone, records } = stored.progress;
  const recorded = Object.entries(records.at(-1)?.testMetrics ?? {}).map(([name, value]) => [name, Number(value)]);
  return {
    stored,
    recorded: batchesDone > 0 || recorded.length === 0 ? undefined : Object.fromEntries(recorded),
    load: ({ compiled }) => {
      for (const parameter of compiled.parameters.values()) assign(parameter, stored);
    },
  };
}

/** The config of a run, with the images and the backend of the options. */
async function configOf(
  options: EvaluateRunOptions,
  checkpoint: StoredCheckpoint<unknown> | undefined,
): Promise<{ readonly config: RunConfig; readonly normalization: InputNormalization | undefined }> {
  const { folder, dataset, dataFolder, testImages, batch, threads } = options;
  const own = runConfigSchema.safeParse(await readRunConfig(folder));
  if (!own.success) {
    const file = join(folder, runFiles.config);
    throw new LocalgradError('invalid-data', `'${file}' is missing, or is not the config of a localgrad run.`, {
      file,
    });
  }
  const normalization = (await normalizationOf(folder, own.data, checkpoint)) ?? undefined;
  if (dataset !== undefined && normalization === undefined) {
    throw configError(
      'dataset',
      'the run normalizes images by its own training images, and its checkpoint, of an older version, does not record how; omit it.',
    );
  }
  const unset = { dataFolder: undefined, extra: false, fold: undefined, trainImages: undefined, testImages: undefined };
  const config = {
    ...own.data,
    ...(dataset === undefined ? {} : { dataset, ...unset }),
    // Held-out images matter only where the normalization is measured.
    ...(normalization === undefined ? {} : { validation: undefined }),
    ...(dataFolder === undefined ? {} : { dataFolder }),
    ...(testImages === undefined ? {} : { testImages }),
    ...(batch === undefined ? {} : { batch }),
    ...(threads === undefined ? {} : { threads }),
  };
  return { config, normalization };
}

/** @throws LocalgradError `shape-mismatch` if the network cannot see the images */
async function checkTestImages({ test }: RunSplits, identity: RunIdentity, options: EvaluateRunOptions): Promise<void> {
  const { classes, shape } = identity.training;
  if (test.classes.length !== classes || test.imageShape[2] !== shape[2]) {
    throw new LocalgradError(
      'shape-mismatch',
      `'${test.name}' has ${test.classes.length} classes and images of ${test.imageShape[2]} channels, but the run was trained on ${classes} classes and images of ${shape[2]} channels.`,
      { dataset: test.name },
    );
  }
  if (!hasOwnImages(options)) return;
  if (canonicalJson(await fingerprintOf(test)) === canonicalJson(identity.test)) return;
  options.onProblem?.(
    `The test images of '${test.name}' are not those that the run was evaluated on: they were changed since.`,
  );
}

function checkHead(head: Head, { test }: RunSplits, { network }: BuiltPlan, options: EvaluateRunOptions): void {
  if (head.measureProbabilities !== undefined) return;
  const { scales, flip = false, dataset = test.name } = options;
  const { backbone, imageShape } = network;
  const isGiven = scales !== undefined && !(scales.length === 1 && scales[0] === 1);
  if (flip || isGiven) {
    throw new LocalgradError(
      'invalid-option',
      `--${isGiven ? 'scales' : 'flip'}: ${backbone.name} does not predict label maps; allowed for networks that do, such as fcn-resnet50 and deeplabv3-resnet50.`,
      { backbone: backbone.name },
    );
  }
  if (sameShape(test.imageShape, imageShape)) return;
  throw new LocalgradError(
    'shape-mismatch',
    `Images of '${dataset}' have shape ${formatShape(test.imageShape)}, but ${backbone.name} was built for ${formatShape(imageShape)}; only networks for label maps see images of other sizes.`,
    { dataset, found: test.imageShape, expected: imageShape },
  );
}

/** The network with weights that are to be loaded. */
function planOf(
  config: RunConfig,
  { train }: RunSplits,
  identity: RunIdentity,
  names: NameOptions,
): Promise<BuiltPlan> {
  const { shape, classes } = identity.training;
  const { initialWeights: _, initialPart: __, ...rest } = config;
  const images = { ...train, imageShape: shape as unknown as Shape3, classes };
  return buildPlan(rest, images, { ...names, zeros: true });
}

async function startBackend(config: RunConfig, { folder, backend }: EvaluateRunOptions): Promise<BackendHandle> {
  const { relaxedSimd, tf32 } = config;
  const threads = mainThreadsOf(config);
  const { environment } = await lookForEnvironment(folder);
  const ofRun = typeof environment?.backend === 'string' ? environment.backend : config.backend;
  try {
    return await selectBackend(backend ?? ofRun, { threads, relaxedSimd, tf32 });
  } catch (error) {
    if (backend !== undefined || !LocalgradError.isInstance(error)) throw error;
    const advice = 'The run was trained on it; choose another with --backend, whose results differ in the last digits.';
    throw new LocalgradError(error.code, `${error.message} ${advice}`, error.details, { cause: error });
  }
}
