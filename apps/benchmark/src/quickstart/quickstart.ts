import { join } from 'node:path';
import { type BackendHandle, selectBackend } from '@localgrad/backends';
import { type DatasetSplits, take } from '@localgrad/data';
import {
  createFolder,
  hashOf,
  loadData,
  MetricsFile,
  measurementEnvironment,
  prepareRun,
  type RunConfig,
  type RunConfigInput,
  runConfigSchema,
  writeWhole,
} from '@localgrad/runs';
import { consoleProgress, type Observer, train } from '@localgrad/train';
import { writeReport } from '../report/write.js';
import type { Terminal } from '../terminal.js';
import { type QuickstartResults, type SeedResult, summarise } from './results.js';

export interface QuickstartOptions {
  readonly seeds: number;
  readonly epochs: number;
  readonly backend: string;
  readonly threads: number | 'auto';
  /** Folder of the report. */
  readonly output: string;
}

export interface QuickstartReport extends QuickstartResults {
  /** Path of the report's page. */
  readonly report: string;
}

/** The ways in which the same network is trained; the first is the reference. */
const contestants = [
  { method: 'backprop', label: 'End to end', modules: 1 },
  { method: 'greedy', label: 'Greedy', modules: 7 },
  { method: 'dgl', label: 'DGL', modules: 7 },
  { method: 'mlaan(greedy)', label: 'MLAAN', modules: 7 },
] as const;

/**
 * Trains one ResNet in several ways on the embedded images and writes a report. Seeds alternate with methods, so that a
 * machine that gets slower or faster does so for all.
 */
export async function quickstart(options: QuickstartOptions, terminal: Terminal): Promise<QuickstartReport> {
  const start = performance.now();
  const entries = contestants.map((contestant) => ({ ...contestant, config: configOf(contestant, options) }));
  const data = await loadData(entries[0]?.config as RunConfig);
  await createFolder(options.output);
  const backend = await selectBackend(options.backend, { threads: options.threads });
  try {
    const seedResults = new Map<string, SeedResult[]>(entries.map(({ method }) => [method, []]));
    const predicted = new Map<string, number>();
    for (const { config } of entries) await warmUp(config, data);
    for (let seed = 1; seed <= options.seeds; seed++) {
      for (const { method, label, config } of entries) {
        const name = options.seeds === 1 ? label : `${label}, seed ${seed}`;
        const { result, predictedPeakBytes } = await runSeed({ ...config, seed }, data, backend, {
          terminal,
          label: name.padEnd(options.seeds === 1 ? 10 : 18),
          folder: join(options.output, 'runs', `${fileName(method)}-seed${seed}`),
        });
        seedResults.get(method)?.push(result);
        predicted.set(method, predictedPeakBytes);
      }
    }
    const reference = seedResults.get('backprop') ?? [];
    const results: QuickstartResults = {
      formatVersion: 1,
      environment: await measurementEnvironment(),
      backend: { name: backend.name, threads: backend.threads, device: backend.device },
      dataset: {
        name: data.train.name,
        trainImages: data.train.size,
        testImages: data.test.size,
        imageShape: [...data.train.imageShape],
        classes: data.train.classes.length,
      },
      runs: entries.map(({ method, label, modules, config }) =>
        summarise(
          { method, label, modules, backend: backend.name, predictedPeakBytes: predicted.get(method) ?? 0, config },
          seedResults.get(method) ?? [],
          reference,
        ),
      ),
      totalSeconds: (performance.now() - start) / 1000,
    };
    return { ...results, report: await writeReport(results, options.output) };
  } finally {
    backend.dispose();
  }
}

/** `mlaan(greedy)` → `mlaan-greedy` */
function fileName(method: string): string {
  return method.replace(/[^\w]+/g, '-').replace(/-$/, '');
}

function configOf({ method, modules }: { method: string; modules: number }, options: QuickstartOptions): RunConfig {
  const { epochs, backend, threads } = options;
  const input: RunConfigInput = {
    method,
    modules,
    backbone: 'resnet14',
    width: 4,
    resize: 16,
    epochs,
    batch: 50,
    learningRate: 0.1,
    weightDecay: 1e-4,
    schedule: 'cosine',
    warmup: 0.05,
    backend,
    threads,
    logEvery: 10,
  };
  return runConfigSchema.parse(input);
}

/** A few steps that are thrown away: compiling code and growing the heap should not count against the first method. */
async function warmUp(config: RunConfig, data: DatasetSplits): Promise<void> {
  const few = take(data.train, Math.min(5 * config.batch, data.train.size), { by: 'first' });
  const run = await prepareRun({ ...config, epochs: 1 }, { ...data, train: few, test: few });
  try {
    await train(run.options);
  } finally {
    run.dispose();
  }
}

interface RunPlace {
  readonly terminal: Terminal;
  readonly label: string;
  readonly folder: string;
}

async function runSeed(
  config: RunConfig,
  data: DatasetSplits,
  backend: BackendHandle,
  { terminal, label, folder }: RunPlace,
) {
  const run = await prepareRun(config, data);
  const trainingLoss: { step: number; loss: number }[] = [];
  const lossRecorder: Observer = {
    observe(event) {
      const loss = event.type === 'step-end' ? event.losses?.final : undefined;
      if (event.type === 'step-end' && loss !== undefined) trainingLoss.push({ step: event.step, loss });
    },
  };
  try {
    await createFolder(folder);
    const outcome = await train({
      ...run.options,
      availableBytes: backend.availableBytes(),
      observers: [
        consoleProgress(terminal.stderr, { label }),
        new MetricsFile(join(folder, 'metrics.jsonl')).observer(),
        lossRecorder,
      ],
      ...(terminal.signal === undefined ? {} : { signal: terminal.signal }),
    });
    const { testAccuracy, peakBytes, seconds, epochs } = outcome;
    const runId = hashOf(config);
    const summary = { runId, folder, backend: backend.name, ...outcome, config };
    await writeWhole(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
    const result: SeedResult = {
      seed: config.seed,
      runId,
      testAccuracy: testAccuracy ?? 0,
      peakBytes,
      seconds,
      epochs,
      trainingLoss,
    };
    return { result, predictedPeakBytes: run.compiled.predict(config.batch).peakBytes };
  } finally {
    run.dispose();
  }
}
