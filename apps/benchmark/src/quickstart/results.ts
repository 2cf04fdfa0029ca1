import { join } from 'node:path';
import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { isDiverged } from '@localgrad/report';
import { loadData, type RunConfig, type RunEnvironment, readIfThere, runConfigSchema } from '@localgrad/runs';
import type { EpochRecord, TrainingEvent } from '@localgrad/train';

/** One trained network. */
export interface SeedResult {
  readonly seed: number;
  readonly runId: string;
  readonly testAccuracy: number | null;
  readonly peakBytes: number;
  /** Of training steps. */
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** Training loss of the classifier, at the steps whose losses were read. */
  readonly trainingLoss: readonly { readonly step: number; readonly loss: number }[];
}

/** A condition over all seeds without the diverged ones: mean accuracy and seconds, highest peak. */
export interface MethodResult {
  readonly method: string;
  /** Name of the condition. */
  readonly label: string;
  readonly modules: number;
  readonly backend: string;
  readonly testAccuracy: number;
  readonly peakBytes: number;
  readonly predictedPeakBytes: number;
  readonly seconds: number;
  /** Difference in accuracy and ratios to end-to-end training; null for a study without it. */
  readonly relativeToBackprop: { readonly accuracy: number; readonly memory: number; readonly time: number } | null;
  readonly isReference: boolean;
  readonly config: RunConfig;
  readonly seeds: readonly SeedResult[];
}

export interface QuickstartResults {
  readonly environment: RunEnvironment | null;
  readonly backend: { readonly name: string; readonly threads: unknown; readonly device: unknown };
  readonly dataset: {
    readonly name: string;
    readonly trainImages: number;
    readonly testImages: number;
    readonly imageShape: readonly number[];
    readonly classes: number;
  };
  /** Conditions with a finished run that did not diverge, end-to-end training first. */
  readonly runs: readonly MethodResult[];
}

/** The numbers of the study in the shape of `localgrad quickstart --json`. */
export async function quickstartResults({ conditions: all, reference }: Study): Promise<QuickstartResults> {
  const conditions = all.map((condition) => ({ ...condition, runs: condition.runs.filter((run) => !isDiverged(run)) }));
  const isReference = ({ key }: Condition) => key === reference;
  const ordered = [...conditions.filter(isReference), ...conditions.filter((condition) => !isReference(condition))];
  const whole = totalsOf(conditions.find(isReference)?.runs ?? []);
  const runs: MethodResult[] = [];
  for (const condition of ordered) {
    const config = runConfigSchema.parse(condition.config);
    const totals = totalsOf(condition.runs);
    const [first] = condition.runs;
    if (totals === undefined || first === undefined) continue;
    const { testAccuracy, peakBytes, seconds } = totals;
    runs.push({
      method: config.method,
      label: condition.name,
      modules: config.modules,
      backend: first.summary.backend,
      ...totals,
      predictedPeakBytes: first.summary.cost.predictedPeakBytes,
      relativeToBackprop:
        whole === undefined
          ? null
          : {
              accuracy: testAccuracy - whole.testAccuracy,
              memory: peakBytes / whole.peakBytes,
              time: seconds / whole.seconds,
            },
      isReference: isReference(condition),
      config,
      seeds: await Promise.all(condition.runs.map(seedResult)),
    });
  }
  const environment = conditions.flatMap(({ runs }) => runs.flatMap((run) => run.environment ?? []))[0] ?? null;
  const { train, test } = await loadData(runConfigSchema.parse(conditions[0]?.config));
  return {
    environment,
    backend: { name: runs[0]?.backend ?? '', threads: environment?.threads, device: environment?.device },
    dataset: {
      name: train.name,
      trainImages: train.size,
      testImages: test.size,
      imageShape: [...train.imageShape],
      classes: train.classes.length,
    },
    runs,
  };
}

function totalsOf(runs: readonly FinishedRun[]) {
  if (runs.length === 0) return undefined;
  const summaries = runs.map(({ summary }) => summary);
  return {
    testAccuracy: mean(summaries.map(({ testAccuracy }) => testAccuracy ?? Number.NaN)),
    peakBytes: Math.max(...summaries.map(({ peakBytes }) => peakBytes)),
    seconds: mean(summaries.map(({ seconds }) => seconds)),
  };
}

async function seedResult({ folder, seed, summary }: FinishedRun): Promise<SeedResult> {
  const { runId, testAccuracy, peakBytes, seconds, epochs, objectives } = summary;
  const classifier = objectives.find(({ role }) => role === 'final')?.id ?? '';
  const text = (await readIfThere(join(folder, 'metrics.jsonl'))) ?? '';
  const trainingLoss = text.split('\n').flatMap((line) => {
    const event = eventIn(line);
    const loss = event?.type === 'step-end' ? event.losses?.[classifier] : undefined;
    return event?.type === 'step-end' && loss !== undefined ? [{ step: event.step, loss }] : [];
  });
  return { seed, runId, testAccuracy, peakBytes, seconds, epochs, trainingLoss };
}

/** Undefined for a damaged line, without which the curve has a gap. */
function eventIn(line: string): TrainingEvent | undefined {
  try {
    return JSON.parse(line) ?? undefined;
  } catch {
    return undefined;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
