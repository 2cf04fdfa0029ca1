import type { ModuleTiming } from '@localgrad/asynchronous';
import type { JsonObject, ObjectiveRole } from '@localgrad/core';
import type { RuleDescription } from '@localgrad/engine';
import type { TrainingResult } from '@localgrad/train';
import { z } from 'zod';
import type { StateFormat } from './folder/state-file.js';

/** An objective of the run's plan, as shown by `localgrad explain`. */
export interface SummaryObjective {
  readonly id: string;
  readonly role: ObjectiveRole;
  /** First and last module that its gradient reaches. */
  readonly span: readonly [from: number, to: number];
  /** At the end of training; not in runs of versions that did not write it. */
  readonly weight?: number;
}

/** Predicted cost of a run. */
export interface SummaryCost {
  /** Number of weights of the backbone, which remain after training. */
  readonly backboneParameters: number;
  /** Number of weights, including auxiliary networks. */
  readonly trainedParameters: number;
  /** Of a step, on average over the run, in forwards of the whole backbone; backprop: 3. Heads included. */
  readonly unitsOfWork: number;
  /** Multiply-accumulates of a step for one image, on average over the run, heads and backward included. */
  readonly multiplyAccumulatesPerImage: number;
  /** Predicted peak bytes of a step: weights, optimizer state and batch included. */
  readonly predictedPeakBytes: number;
}

/** Size and checksum of a file that belongs to the summary. */
export interface FileChecksum {
  readonly bytes: number;
  readonly sha256: string;
}

/** Result of a finished run: `summary.json` in its folder. Times cover all attempts, without work lost to interruptions. */
export interface RunSummary extends TrainingResult {
  readonly formatVersion: 1;
  /**
   * `diverged`: training completed, but the network is not a result, since its test loss or one of its tensors is NaN
   * or infinite. Such a run is not repeated, and is excluded from means. Added when a summary of an earlier version is read.
   */
  readonly status: 'finished' | 'diverged';
  /** Why the run counts as diverged; null otherwise. */
  readonly divergence?: string | null;
  /** Hash of everything that the result depends on; `identity.json` contains the parts. */
  readonly runId: string;
  readonly config: JsonObject;
  /** TensorFlow.js backend that the run was on, e.g. `wasm`. */
  readonly backend: string;
  readonly objectives: readonly SummaryObjective[];
  readonly cost: SummaryCost;
  /** What the optimizer's rules for single weights applied to; absent if it has none. */
  readonly rules?: readonly RuleDescription[];
  /** Test accuracy of a linear probe on each module's output, in [0, 1]; null if not requested or failed. */
  readonly probes: readonly number[] | null;
  /** How often each module has trained, and on which batches; present for runs with asynchronous workers. */
  readonly timing?: readonly ModuleTiming[];
  /** Of `weights.safetensors`; missing in runs of versions that did not write it. */
  readonly weights?: FileChecksum;
}

/** Versions and hardware of a run: `environment.json` in its folder. */
export interface RunEnvironment {
  readonly localgrad: string;
  readonly commit: string | null;
  readonly date: string;
  readonly [key: string]: unknown;
}

/** Summaries of earlier versions have no status; in them the test loss of a diverged run is null, JSON's form of NaN. */
function impliedStatus({ epochs }: { readonly epochs: readonly object[] }): RunSummary['status'] {
  const last: Readonly<{ testLoss?: unknown }> = epochs.at(-1) ?? {};
  return last.testLoss === null ? 'diverged' : 'finished';
}

const accuracy = z.number().min(0).max(1).nullable();
const amount = z.number().min(0);

/** Fields that readers of a summary require. Other keys are kept; losses are not checked, since they may be NaN or infinite. */
export const summaryFormat = {
  what: 'the summary of a localgrad run',
  version: 1,
  schema: z
    .looseObject({
      formatVersion: z.literal(1),
      status: z.enum(['finished', 'diverged']).optional(),
      runId: z.string().min(1),
      config: z.record(z.string(), z.unknown()),
      backend: z.string(),
      objectives: z.array(
        z.looseObject({ id: z.string(), role: z.string(), span: z.tuple([z.int().min(0), z.int().min(0)]) }),
      ),
      cost: z.looseObject({
        backboneParameters: amount,
        trainedParameters: amount,
        unitsOfWork: amount,
        multiplyAccumulatesPerImage: amount,
        predictedPeakBytes: amount,
      }),
      rules: z.array(z.looseObject({ match: z.string(), tensors: amount, parameters: amount })).optional(),
      probes: z.array(z.number()).nullable().default(null),
      timing: z
        .array(
          z.looseObject({ module: z.int().min(0), updatesPerBatch: amount, meanAge: amount, repeated: amount.max(1) }),
        )
        .optional(),
      weights: z.looseObject({ bytes: amount, sha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
      metric: z.object({ name: z.string().min(1), lowerIsBetter: z.boolean() }).optional(),
      testAccuracy: accuracy,
      bestTestAccuracy: accuracy,
      validation: z
        .looseObject({
          accuracy,
          best: z.looseObject({ epoch: z.int().min(1), accuracy, testAccuracy: accuracy }).nullable(),
        })
        .optional(),
      seconds: amount,
      totalSeconds: amount,
      peakBytes: amount,
      steps: z.int().min(0),
      resumptions: z.int().min(0),
      epochs: z.array(z.looseObject({ epoch: z.int().min(1), seconds: amount })),
    })
    .transform(
      (summary) => ({ ...summary, status: summary.status ?? impliedStatus(summary) }) as unknown as RunSummary,
    ),
} satisfies StateFormat<z.ZodType<RunSummary>>;

export const environmentFormat = {
  what: 'the environment of a localgrad run',
  schema: z.looseObject({ localgrad: z.string(), commit: z.string().nullable(), date: z.string() }),
} satisfies StateFormat<z.ZodType<RunEnvironment>>;
