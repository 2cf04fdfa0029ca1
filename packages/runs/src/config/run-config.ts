import { partitionTables } from '@localgrad/backbones';
import { defaultMethod } from '@localgrad/catalog';
import { augmentations, pipelineNames } from '@localgrad/data';
import { imagePipelines } from '@localgrad/image-data';
import { z } from 'zod';

const count = z.int().min(1);
const rate = z.number().min(0);
const augmentationNames = Object.keys(augmentations) as [keyof typeof augmentations];

/** All settings of a run. The keys are the same in YAML files and, in kebab-case, as flags. */
export const runConfigSchema = z.strictObject({
  method: z.string().default(defaultMethod).describe('method expression, e.g. "dgl" or "dgl(head: 1c2f)"'),
  backbone: z
    .string()
    .default('resnet32')
    .describe('backbone expression, e.g. resnet32, "resnet32(width: 8)", vgg13, vit-tiny'),
  width: count
    .max(4096)
    .optional()
    .describe("channels of the backbone's first stage (CIFAR ResNets: 16, ImageNet's: 64)"),
  modules: count.default(4).describe('number of gradient-isolated modules, K'),
  partition: z
    .union([
      z.enum([
        'even',
        'balanced-memory',
        'balanced-peak',
        'published',
        ...partitionTables.map((table) => `published:${table}` as const),
      ]),
      z.array(count).min(1).max(1000),
    ])
    .default('even')
    .describe(
      'how blocks are cut into modules: even, balanced-memory (by activations), balanced-peak (heads and chains count, too), published, published:hpff (of a paper), or blocks per module (1,3,3), whose number is that of the modules',
    ),
  stemModule: z
    .enum(['merged', 'own'])
    .optional()
    .describe('whether the stem belongs to the first module (merged) or forms its own'),
  memory: z
    .enum(['residuals', 'recompute'])
    .default('residuals')
    .describe('residuals stores activations, recompute recomputes them (less memory, more time)'),
  memoryBudget: z
    .string()
    .optional()
    .describe('choose modules, partition and recomputation for the least work within this peak memory, e.g. 256MiB'),
  dataset: z
    .string()
    .default('fashion-mnist-subset')
    .describe(
      'data set expression, or a folder of images (./photos); the embedded fashion-mnist-subset needs no files',
    ),
  dataFolder: z.string().optional().describe("folder with the data set's files"),
  extra: z.boolean().default(false).describe('also train on the additional images (dataset: svhn)'),
  fold: z.int().min(0).max(9).optional().describe('train on one of the ten published folds (dataset: stl10)'),
  resize: z
    .union([count, z.tuple([count, count])])
    .overwrite((size) => (typeof size !== 'number' && size[0] === size[1] ? size[0] : size))
    .optional()
    .describe('resize images to this height and width, e.g. 32 or 512x1024 (in files: [512, 1024])'),
  pad: count.optional().describe('pad images with black to this height and width'),
  trainImages: count.optional().describe('number of training images to use, balanced across classes'),
  testImages: count.optional().describe('number of test images to use, balanced across classes'),
  validation: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe(
      'fraction of the training images of each class to hold out, the same for every seed: they choose the best epoch, the best checkpoint, runs to stop early, and values of tune, in place of the test images',
    ),
  metric: z
    .string()
    .min(1)
    .optional()
    .describe(
      "metric of the network's output by which the best epoch, the best checkpoint, runs to stop early and values of tune are chosen and conditions compared, e.g. accuracy, meanIoU, loss (default: that of the network, meanIoU for label maps, else accuracy)",
    ),
  augment: z
    .enum(augmentationNames)
    .default('none')
    .describe('random crops and flips while training: none, or a recipe by name'),
  pipeline: z
    .enum([...pipelineNames, ...Object.keys(imagePipelines)])
    .optional()
    .describe('augmentation and normalization of a publication by name, instead of augment'),
  cutout: count
    .optional()
    .describe('height and width of a square that is erased in every training image, at a random place'),
  decode: z
    .enum(['auto', 'before', 'during'])
    .default('auto')
    .describe(
      'when images of a folder are decoded: before training (into memory), during it, or auto: before if they fit in 4 GiB',
    ),
  decodeWorkers: count.max(256).default(4).describe('number of images decoded at the same time during training'),
  initialWeights: z
    .string()
    .optional()
    .describe('safetensors file with initial weights of the backbone: from localgrad, or a PyTorch state dict'),
  initialPart: z
    .enum(['network', 'blocks'])
    .optional()
    .describe(
      'what initial-weights contains: the whole network, or its first blocks; later blocks and the classifier start at random, for other classes or tasks (default: network)',
    ),
  epochs: count.default(3).describe('number of epochs'),
  batch: count.default(64).describe('batch size'),
  classesPerBatch: count
    .optional()
    .describe(
      'number of random images that each batch starts with; the others are of the same classes while there are any (default: batches have any classes)',
    ),
  classesPerBatchEpochs: count
    .optional()
    .describe('number of epochs with classesPerBatch, after which batches have any classes (default: all)'),
  accumulate: count
    .default(1)
    .describe('micro-batches per step: gradients accumulate over them (less memory for the same batch size)'),
  asynchronous: z
    .string()
    .default('none')
    .describe(
      'train modules asynchronously from replay buffers, e.g. "buffer: 2, sampling: lifo, reuse: 3, order: random, slow: 3@2"; with workers each at its own pace, otherwise simulated; none: synchronously',
    ),
  learningRate: rate.default(0.1).describe('peak learning rate'),
  optimizer: z.string().default('sgd').describe('optimizer expression, e.g. "sgd" or "sgd(momentum: 0.8)"'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('SGD momentum'),
  nesterov: z.boolean().default(true).describe('Nesterov momentum (optimizer: sgd)'),
  weightDecay: rate.default(1e-4).describe('L2 decay of all weights (optimizer: sgd)'),
  clipNorm: z
    .number()
    .gt(0)
    .optional()
    .describe(
      'clip gradients by the L2 norm of all gradients of a step together, e.g. 1; all of them are in memory at once (default: no clipping)',
    ),
  labelSmoothing: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('share of each label that losses of classifiers spread over all classes while training (default: 0)'),
  schedule: z
    .string()
    .default('cosine')
    .describe(
      'schedule expression: cosine, constant, epochCosine, stepDecay, "stepDecay(milestones: [80, 120])", "polynomial(end: 1e-4)"',
    ),
  warmup: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe('fraction of steps used for warm-up (schedule: cosine; default: 0.05)'),
  seed: z.int().min(0).default(1).describe('seed of initialization, data order, augmentation and dropout'),
  backend: z.string().default('auto').describe('TensorFlow.js backend'),
  threads: z
    .union([z.literal('auto'), count.max(1024)])
    .default('auto')
    .describe('number of backend threads; of each worker, if there are several (auto: 1)'),
  relaxedSimd: z
    .boolean()
    .default(true)
    .describe(
      'fused multiply-adds (relaxed SIMD) on wasm, which are faster but make the last bits of results depend on the machine',
    ),
  tf32: z
    .boolean()
    .default(false)
    .describe('let tensorflow-gpu round the inputs of products to TF32: faster on tensor cores, but less accurate'),
  workers: count
    .max(256)
    .default(1)
    .describe(
      'number of worker threads that train groups of modules at the same time (backend: wasm or tensorflow), with the same results',
    ),
  placement: z
    .string()
    .optional()
    .describe(
      'which worker trains which modules, e.g. "0-3 4-7", instead of workers, which divides them by measured time',
    ),
  delay: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe(
      'number of steps by which moving averages follow the weights of other modules late, so that workers wait less for each other; changes results (lam, man, mlaan)',
    ),
  gradientDelay: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe(
      'number of steps by which gradients that cross from module to module are used late, so that workers need not wait for them; changes results (backprop, mlm, mlaan, hpff, auglocal)',
    ),
  gradientDelayCuts: z
    .string()
    .regex(/^\d+(\s+\d+)*$/, 'expected the first module after each cut, e.g. "2 4"')
    .optional()
    .describe(
      'where gradients are late: the first module after each cut, e.g. "2 4" (default: wherever gradients cross)',
    ),
  recordSteps: z
    .boolean()
    .default(true)
    .describe('recorded steps on webgpu: the same results with less work on the CPU'),
  probe: z
    .boolean()
    .default(false)
    .describe("also measure how linearly separable each module's features are, after training"),
  evaluateEvery: count
    .default(1)
    .describe('number of epochs between evaluations on test and validation images; the last epoch is always evaluated'),
  logEvery: count.default(20).describe('number of steps between readings of the losses'),
});

/** A resolved config: every default is filled in. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** A config as the user writes it: every key is optional. */
export type RunConfigInput = z.input<typeof runConfigSchema>;

export const runConfigKeys = Object.keys(runConfigSchema.shape) as readonly (keyof RunConfig)[];
