import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { parseState, readIfThere, readStateFile } from '@localgrad/runs';
import { z } from 'zod';
import { experimentSchema } from '../files/experiment-schema.js';
import type { Sweep, SweepTask } from './sweep-folder.js';

export const sweepFormatVersion = 1;

/** Files of a sweep's folder. `sweep.json` is all that is read back; the others are copies of parts of it. */
export const sweepFiles = {
  description: 'sweep.json',
  tasks: 'tasks.jsonl',
  source: 'experiment.yaml',
  runs: 'runs/',
  slurm: 'slurm/',
  claims: 'claims/',
} as const;

const config = z.record(z.string(), z.json());
const index = z.int().min(0);
const runId = z.string().regex(/^[A-Za-z0-9._-]+$/);

const descriptionSchema = z.looseObject({
  formatVersion: z.literal(sweepFormatVersion, {
    error: ({ input }) => `format version ${String(input)}; this program reads ${sweepFormatVersion}`,
  }),
  name: z.string(),
  title: z.string(),
  description: z.string(),
  factors: z.array(z.string()),
  conditions: z
    .array(
      z.object({
        key: z.string(),
        name: z.string(),
        labels: z.record(z.string(), z.string()),
        config,
        setting: z.string().optional(),
      }),
    )
    .min(1),
  seeds: z.array(index).min(1),
  tune: z.array(z.string()).default([]),
  /** Missing in folders of earlier versions, where all seeds made choices. */
  tuneSeeds: z.array(index).min(1).optional(),
  compare: z.object({ factor: z.string(), baseline: z.string() }).nullable(),
  reference: z.string().nullable(),
  checkpoints: experimentSchema.shape.checkpoints,
  trackers: experimentSchema.shape.trackers,
  /** Missing, like `overrides`, in folders of earlier versions. */
  earlyStopping: experimentSchema.shape.earlyStopping.unwrap().nullable().default(null),
  retries: index,
  commands: z.array(z.string()),
  /** Missing in folders of earlier versions, whose indices have no gaps. */
  nextIndex: index.optional(),
  /** In the order of the runs: seed by seed, and for each seed the conditions. Earlier versions: in `tasks.jsonl` only. */
  tasks: z.array(z.object({ index, runId })).optional(),
  source: z.string().optional(),
  overrides: z.array(z.string()).default([]),
});

type Description = z.output<typeof descriptionSchema>;

const descriptionFormat = {
  what: 'the description of a localgrad sweep',
  schema: descriptionSchema,
  version: sweepFormatVersion,
};
const taskFormat = {
  what: 'a run of a localgrad sweep',
  schema: z.looseObject({ index, runId }),
};

/** @throws LocalgradError `invalid-data` if there is no sweep, or a damaged one */
export async function readSweep(folder: string): Promise<Sweep> {
  const file = join(folder, sweepFiles.description);
  const description = await readStateFile(file, descriptionFormat);
  if (description === undefined) {
    throw new LocalgradError(
      'invalid-data',
      `'${folder}' contains no sweep: it has no sweep.json. 'localgrad sweep run FILE.yaml' creates one.`,
      { folder, isMissing: true },
    );
  }
  const { tasks: known, source, nextIndex, ...rest } = description;
  const identities = known ?? (await tasksOfEarlierVersion(folder));
  const pairs = pairsOf(description);
  const highest = identities.reduce((most, task) => Math.max(most, task.index), -1);
  const next = nextIndex ?? highest + 1;
  const problem =
    identities.length !== pairs.length
      ? `${identities.length} runs instead of ${pairs.length}`
      : new Set(identities.map((task) => task.index)).size !== identities.length
        ? 'two runs with one index'
        : next <= highest
          ? `an index of ${highest}, and ${next} as the next one`
          : undefined;
  if (problem !== undefined) {
    const where = known === undefined ? sweepFiles.tasks : sweepFiles.description;
    throw new LocalgradError(
      'invalid-data',
      `'${join(folder, where)}' is damaged: it has ${problem}. Restore it from a copy, or start a sweep in another folder.`,
      { folder },
    );
  }
  const tasks = identities.flatMap((identity, place) => {
    const pair = pairs[place];
    return pair === undefined ? [] : [{ ...identity, ...pair }];
  });
  return {
    ...rest,
    tuneSeeds: rest.tuneSeeds ?? rest.seeds,
    folder,
    nextIndex: next,
    source: source ?? (await readIfThere(join(folder, sweepFiles.source))) ?? '',
    tasks,
  };
}

/** Runs of a sweep without their names in the file system, in order. */
export function pairsOf({
  conditions,
  seeds,
}: Pick<Description, 'conditions' | 'seeds'> | Pick<Sweep, 'conditions' | 'seeds'>): Omit<
  SweepTask,
  'index' | 'runId'
>[] {
  return seeds.flatMap((seed) =>
    conditions.map(({ key, name, config }) => ({
      name: `${name}, seed ${seed}`,
      condition: key,
      seed,
      config: { ...config, seed },
    })),
  );
}

async function tasksOfEarlierVersion(folder: string): Promise<Pick<SweepTask, 'index' | 'runId'>[]> {
  const file = join(folder, sweepFiles.tasks);
  const text = (await readIfThere(file)) ?? '';
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line, row) => {
    const { index, runId } = parseState(Buffer.from(line), `${file}:${row + 1}`, taskFormat);
    return { index, runId };
  });
}
