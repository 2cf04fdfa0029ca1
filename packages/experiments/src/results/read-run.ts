import { join } from 'node:path';
import { LocalgradError } from '@localgrad/core';
import { type RunEnvironment, type RunSummary, readJsonIfThere, readSummary } from '@localgrad/runs';
import { z } from 'zod';
import type { FinishedRun, UnreadableRun } from './study.js';

/** JSON has no NaN: a loss of a diverged run is null. */
const loss = z.number().nullable();
const share = z.number().nullable();

/** The fields of a summary that reports use. Further fields are allowed. */
const summarySchema = z.looseObject({
  runId: z.string(),
  config: z.record(z.string(), z.unknown()),
  backend: z.string(),
  testAccuracy: share,
  bestTestAccuracy: share,
  seconds: z.number(),
  totalSeconds: z.number(),
  peakBytes: z.number(),
  steps: z.number(),
  resumptions: z.number(),
  epochs: z.array(
    z.looseObject({
      epoch: z.number(),
      losses: z.record(z.string(), loss),
      testAccuracy: share.optional(),
      testLoss: loss.optional(),
    }),
  ),
  objectives: z.array(z.looseObject({ id: z.string(), role: z.string(), span: z.tuple([z.number(), z.number()]) })),
  cost: z.looseObject({
    backboneParameters: z.number(),
    trainedParameters: z.number(),
    unitsOfWork: z.number(),
    multiplyAccumulatesPerImage: z.number(),
    predictedPeakBytes: z.number(),
  }),
  probes: z.array(z.number()).nullable(),
});

const environmentSchema = z.looseObject({ localgrad: z.string(), commit: z.string().nullable(), date: z.string() });

/** Reads the result of a run; undefined if it has none yet. Never throws for broken files. */
export async function readRun(folder: string, seed: number): Promise<FinishedRun | UnreadableRun | undefined> {
  try {
    const summary = await readSummary(folder);
    if (summary === undefined) return undefined;
    check(summarySchema, summary, join(folder, 'summary.json'));
    return { folder, seed, summary: summary as RunSummary, environment: await readEnvironment(folder) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { folder, seed, message };
  }
}

/** A missing or broken environment does not make a result unusable: the report says that it is not known. */
async function readEnvironment(folder: string): Promise<RunEnvironment | null> {
  try {
    const environment = await readJsonIfThere<RunEnvironment>(join(folder, 'environment.json'));
    return environmentSchema.safeParse(environment).success ? (environment ?? null) : null;
  } catch (error) {
    if (!LocalgradError.isInstance(error)) throw error;
    return null;
  }
}

function check(schema: z.ZodType, value: unknown, file: string): void {
  const { error } = schema.safeParse(value);
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return;
  const place = issue.path.length === 0 ? '' : ` at '${issue.path.join('.')}'`;
  throw new LocalgradError(
    'invalid-data',
    `'${file}' is not the summary of a run${place}: ${issue.message}. Delete it and run the sweep again.`,
    { file },
  );
}
