import { z } from 'zod';

/** Seeds of a condition. */
const mostSeeds = 10_000;

/** Samples of a random search. */
const mostSamples = 10_000;

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const count = z.int().min(1);
const config = z.record(z.string(), z.unknown());

/** What an experiment file holds, apart from the keys of a run's config in `base`, `grid` and `include`. */
export const experimentSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "letters, digits, '.', '_' and '-', since it names a folder")
    .describe('name of the experiment and of its folder'),
  title: z.string().optional().describe('heading of the report'),
  description: z.string().optional().describe('question and method of the experiment; shown in the report'),
  base: config.default({}).describe('config that all runs share; {factor} stands for a value of a factor'),
  factors: z
    .record(z.string(), z.union([z.array(scalar).min(1), z.record(z.string(), scalar)]))
    .default({})
    .describe('named texts, all combined with each other: a list, or labels with texts; texts may name other factors'),
  grid: z
    .record(z.string(), z.array(z.unknown()).min(1))
    .default({})
    .describe('values of config keys, all combined with each other and with the factors'),
  tune: z
    .record(z.string(), z.array(z.unknown()).min(2))
    .default({})
    .describe(
      'values of config keys that every condition may choose from, included ones too; reports show the best by mean accuracy, or the metric of base: on validation images if there are any (validation), else on test images',
    ),
  tuneSeeds: count
    .optional()
    .describe(
      'how many of the seeds, from the first, make the choices of tune; the others run with the chosen values only (default: all seeds make them, so that all values run with all seeds)',
    ),
  search: z
    .strictObject({
      samples: count.max(mostSamples).describe('number of samples; each is combined with all factors'),
      seed: z.int().min(0).default(1).describe('seed of the drawn values'),
      ranges: z
        .record(
          z.string(),
          z.union([
            z.strictObject({
              from: z.number(),
              to: z.number(),
              scale: z.enum(['linear', 'log']).default('linear'),
              step: z.number().positive().optional(),
            }),
            z.array(scalar).min(1),
          ]),
        )
        .describe(
          'by config key or {place} of a text: from, to and scale (linear, log) or step; or a list to choose from',
        ),
    })
    .optional()
    .describe('random search: values that are drawn from ranges, reproducibly'),
  exclude: z
    .array(z.record(z.string(), scalar))
    .max(1000)
    .default([])
    .describe('combinations to leave out: all that have these labels'),
  include: z
    .array(config)
    .max(1000)
    .default([])
    .describe('conditions beside the grid: a name, and config keys that go over those of base'),
  seeds: z
    .union([count, z.array(z.int().min(0)).min(1)])
    .superRefine((seeds, context) => {
      const number = typeof seeds === 'number' ? seeds : seeds.length;
      if (number <= mostSeeds) return;
      const list = typeof seeds === 'number' ? `; a list names seeds: [${seeds}]` : '';
      context.addIssue({ code: 'custom', message: `at most ${mostSeeds} seeds per condition are allowed${list}` });
    })
    .default(3)
    .describe('how many seeds (1, 2, …), or which'),
  compare: z
    .strictObject({
      factor: z.string().describe('factor whose values are compared'),
      baseline: scalar.transform(String).describe('label of the value that the others are tested against'),
    })
    .optional()
    .describe('which comparison the report makes, within equal values of all other factors'),
  reference: scalar
    .transform(String)
    .optional()
    .describe('name of the included condition that stands for end-to-end training'),
  earlyStopping: z
    .strictObject({
      rule: z.literal('median').default('median'),
      graceEpochs: count.describe('epochs that every run completes'),
      peers: count.default(4).describe('how many earlier runs must have reached the epoch'),
    })
    .optional()
    .describe(
      'stops runs whose best accuracy, or metric of base (on validation images if there are any, else on test images), is worse than the median of the earlier runs at the same epoch',
    ),
  checkpoints: z
    .strictObject({
      everyEpochs: count.optional().describe('number of epochs between checkpoints (default: 1)'),
      everySteps: count.optional().describe('number of steps between further checkpoints (default: none)'),
      keepLast: count
        .optional()
        .describe('number of checkpoints to keep, also after a run has finished (default: 2, then none)'),
      keepBest: z.boolean().optional().describe('also keep the checkpoint with the best accuracy, or metric of base'),
    })
    .default({})
    .describe('when runs are saved'),
  trackers: z
    .strictObject({
      tensorboard: z.boolean().optional(),
      csv: z.boolean().optional(),
      mlflow: z
        .url({ protocol: /^https?$/, error: 'expected an http or https address, e.g. http://localhost:5000' })
        .optional(),
    })
    .default({})
    .describe('where runs are shown besides their own files: event files, tables, an MLflow server'),
  retries: z.int().min(0).default(2).describe('how often a run that failed is tried again'),
});

export type ExperimentInput = z.output<typeof experimentSchema>;

export const experimentKeys = Object.keys(experimentSchema.shape);
