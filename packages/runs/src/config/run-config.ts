import { augmentations } from '@localgrad/data';
import { scheduleNames } from '@localgrad/nn';
import { z } from 'zod';

const count = z.int().min(1);
const rate = z.number().min(0);
const augmentationNames = Object.keys(augmentations) as [keyof typeof augmentations];

/** Everything that a run depends on. The keys are the same in YAML files and, in kebab-case, as flags. */
export const runConfigSchema = z.strictObject({
  method: z.string().default('dgl').describe('method expression, e.g. "dgl" or "dgl(head: 1c2f)"'),
  backbone: z.string().default('resnet32').describe('backbone, e.g. resnet14, resnet32, resnet110'),
  width: count.max(4096).optional().describe("channels of the backbone's first stage (CIFAR ResNets: 16)"),
  modules: count.default(4).describe('number of gradient-isolated modules, K'),
  partition: z
    .union([z.enum(['even', 'balanced-memory', 'published']), z.array(count).min(1).max(1000)])
    .default('even')
    .describe('how blocks are cut into modules: even, balanced-memory, published, or blocks per module (1,3,3)'),
  stemModule: z.enum(['merged', 'own']).optional().describe('is the stem part of the first module, or one of its own'),
  memory: z
    .enum(['residuals', 'recompute'])
    .default('residuals')
    .describe('keep residuals, or run forwards again: less memory'),
  dataset: z
    .string()
    .default('fashion-mnist-subset')
    .describe('data set, or a folder of images (./photos); the embedded fashion-mnist-subset needs no file'),
  dataFolder: z.string().optional().describe("folder with the data set's files"),
  resize: count.optional().describe('resize images to this height and width'),
  pad: count.optional().describe('pad images with black to this height and width'),
  trainImages: count.optional().describe('use this many training images, as many of each class'),
  testImages: count.optional().describe('use this many test images, as many of each class'),
  augment: z
    .enum(augmentationNames)
    .default('none')
    .describe('random crops and flips while training: none, or a recipe by name'),
  initialWeights: z
    .string()
    .optional()
    .describe('safetensors file with weights of the backbone to start from: ours or a PyTorch state dict'),
  epochs: count.default(3).describe('passes over the training set'),
  batch: count.default(64).describe('images in a batch'),
  learningRate: rate.default(0.1).describe('highest learning rate'),
  momentum: z.number().min(0).lt(1).default(0.9).describe("SGD's momentum"),
  nesterov: z.boolean().default(true).describe("Nesterov's momentum"),
  weightDecay: rate.default(1e-4).describe('L2 decay of all weights'),
  schedule: z
    .enum(scheduleNames as [(typeof scheduleNames)[number]])
    .default('cosine')
    .describe('learning-rate schedule'),
  warmup: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('share of the steps with a rising rate (schedule: cosine); default 0.05'),
  seed: z.int().min(0).default(1).describe('seed of weights, order and augmentation'),
  backend: z.string().default('auto').describe('TensorFlow.js backend'),
  threads: z
    .union([z.literal('auto'), count])
    .default('auto')
    .describe('threads of the backend'),
  probe: z
    .boolean()
    .default(false)
    .describe("also measure how linearly separable each module's features are, after training"),
  logEvery: count.default(20).describe('steps between two readings of the losses'),
});

/** A run, resolved: every default is filled in. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** What a user writes: any part of it. */
export type RunConfigInput = z.input<typeof runConfigSchema>;

export const runConfigKeys = Object.keys(runConfigSchema.shape) as readonly (keyof RunConfig)[];
