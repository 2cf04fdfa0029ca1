import { LocalgradError, messageOf } from '@localgrad/core';
import { readSafetensors, type TensorFile } from '@localgrad/nn/serialization';
import { z } from 'zod';

/** The `format` entry of a file's metadata. */
export const formatName = 'localgrad-reference';
export const formatVersion = '1';

const count = z.int().min(1);
const blockReference = z.tuple([z.int().min(0), z.int().min(0)]);

/**
 * Reference to a tensor of the file. `scale`: factor on its entries; `rows`: it contains only the first rows; `digest`:
 * it contains [ignored, L2 norm, largest magnitude, entries at even strides in PyTorch's order].
 */
const tensorReference = z.union([
  z.string(),
  z.strictObject({
    tensor: z.string(),
    scale: z.number().optional(),
    rows: count.optional(),
    digest: z.boolean().optional(),
  }),
]);
const tensors = z.record(z.string(), tensorReference);

const network = z.strictObject({
  backbone: z.string(),
  widths: z.array(count).length(4).optional(),
  imageShape: z.tuple([count, count, count]),
  classes: count,
  /** Last block of each module, `[stage, index]`. */
  lastBlocks: z.array(blockReference).min(1),
});
/** A method expression, e.g. `mlaan(greedy)`, or the JSON config of a method. */
const method = z.union([z.string(), z.record(z.string(), z.unknown())]);

const trainingCase = z.strictObject({
  case: z.string(),
  kind: z.literal('training'),
  source: z.string().optional(),
  network,
  method,
  /** Without an optimizer, one step is run and no weights are updated. */
  optimizer: z
    .strictObject({
      learningRate: z.number(),
      momentum: z.number().default(0),
      nesterov: z.boolean().default(false),
      weightDecay: z.number().default(0),
    })
    .optional(),
  /** One batch per step. `images`: normalized. `pixels`: targets of decoders, bytes or values in [0, 1]. */
  inputs: z.array(z.strictObject({ images: z.string(), labels: z.string(), pixels: z.string().optional() })).min(1),
  /** Initial values, by our names. Omitted statistics start at 0 and 1. */
  parameters: tensors,
  comparison: z.enum(['largest-entry', 'relative-l2']),
  expected: z.strictObject({
    features: tensors.optional(),
    logits: tensorReference.optional(),
    /** Losses of the first step, by objective or by `objective/term`. */
    losses: z.record(z.string(), z.number()).optional(),
    gradients: tensors.optional(),
    statistics: tensors.optional(),
    /** Losses of all steps, by objective. */
    trajectory: z.record(z.string(), z.array(z.number())).optional(),
    /** Weights and averages after the last step. */
    weights: tensors.optional(),
    averages: tensors.optional(),
    /** Class scores in evaluation mode after the first step. */
    evaluationLogits: tensorReference.optional(),
  }),
});

const planCase = z.strictObject({
  case: z.string(),
  kind: z.literal('plan'),
  source: z.string().optional(),
  network,
  method,
  expected: z.strictObject({
    /** First and last trained module of each objective. */
    spans: z.record(z.string(), z.tuple([z.int().min(0), z.int().min(0)])).optional(),
    /** Number of parameters of the heads, by objective. */
    headParameters: z.record(z.string(), count).optional(),
    /** Number of parameters of all heads but the network's classifier. */
    allHeadParameters: count.optional(),
    /** Number of trained parameters of the network and all heads. */
    trainedParameters: count.optional(),
  }),
});

const commonOfLosses = {
  case: z.string(),
  kind: z.literal('loss'),
  source: z.string().optional(),
  labels: z.array(z.int()),
  /** Features before normalization, and the gradient with respect to them. */
  features: z.string(),
  expected: z.strictObject({ loss: z.number(), gradient: z.string() }),
};

const lossCase = z.discriminatedUnion('loss', [
  z.strictObject({
    ...commonOfLosses,
    loss: z.literal('supervised-contrastive'),
    temperature: z.number(),
    baseTemperature: z.number(),
  }),
  z.strictObject({ ...commonOfLosses, loss: z.literal('similarity-matching'), classes: count }),
]);

const optimizerCase = z.strictObject({
  case: z.string(),
  kind: z.literal('optimizer'),
  source: z.string().optional(),
  optimizer: z.strictObject({
    learningRate: z.number(),
    momentum: z.number(),
    nesterov: z.boolean(),
    weightDecay: z.number(),
  }),
  start: z.string(),
  /** [steps, size]. */
  gradients: z.string(),
  /** Weights after each step, [steps, size]. */
  expected: z.strictObject({ weights: z.string() }),
});

const caseSchema = z.discriminatedUnion('kind', [trainingCase, planCase, lossCase, optimizerCase]);

export type TrainingCase = z.output<typeof trainingCase>;
export type PlanCase = z.output<typeof planCase>;
export type NetworkSpec = z.output<typeof network>;
export type LossCase = z.output<typeof lossCase>;
export type OptimizerCase = z.output<typeof optimizerCase>;
export type ReferenceCase = z.output<typeof caseSchema>;
export type TensorReference = z.output<typeof tensorReference>;

export interface ReferenceFile {
  readonly file: TensorFile;
  readonly cases: readonly ReferenceCase[];
}

/** @throws LocalgradError `invalid-data` for truncated files, other kinds of files, and invalid metadata */
export function readReferenceFile(bytes: Uint8Array, where: string): ReferenceFile {
  const file = readSafetensors(bytes, where);
  const fail = (message: string): never => {
    throw new LocalgradError('invalid-data', `${where}: ${message}`, { where });
  };
  const { format, version, cases } = file.metadata;
  if (format !== formatName || cases === undefined) {
    fail(
      `it is a safetensors file, but not one of reference tensors: its metadata must contain format '${formatName}' (docs/reference-tensors.md). 'npm run oracles:convert' converts PyTorch's tensors.`,
    );
  }
  if (version !== formatVersion) fail(`it has format version ${version}; supported: ${formatVersion}.`);
  let json: unknown;
  try {
    json = JSON.parse(cases as string);
  } catch (error) {
    fail(`its metadata 'cases' is not JSON: ${messageOf(error)}.`);
  }
  const parsed = z.array(caseSchema).min(1).safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    fail(`its metadata 'cases' is invalid at ${issue?.path.join('.')}: ${issue?.message}.`);
  }
  return { file, cases: parsed.data as ReferenceCase[] };
}
