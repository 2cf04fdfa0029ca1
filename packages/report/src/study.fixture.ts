import type { Condition, FinishedRun, Study } from '@localgrad/experiments';
import { createRandom } from '@localgrad/nn/random';
import type { RunSummary, SummaryObjective } from '@localgrad/runs';
import type { EpochRecord } from '@localgrad/train';

/** Options of a synthetic study. */
export interface SyntheticOptions {
  readonly hosts?: readonly string[];
  readonly modules?: readonly number[];
  /** Number of decorators around each host, itself included. Default: all four. */
  readonly additions?: number;
  readonly seeds?: number;
  readonly epochs?: number;
}

interface Recipe {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly method: string;
  readonly modules: number;
  readonly memory: 'residuals' | 'recompute';
  readonly accuracy: number;
  readonly peakBytes: number;
  readonly unitsOfWork: number;
  readonly objectives: readonly SummaryObjective[];
}

const decorators = [
  { label: 'none', gain: 0, bytes: 1, work: 1, window: false },
  { label: 'MLM', gain: 0.012, bytes: 1.3, work: 1.6, window: true },
  { label: 'LAM', gain: 0.004, bytes: 1.1, work: 1.4, window: false },
  { label: 'MLAAN', gain: 0.022, bytes: 1.4, work: 2, window: true },
] as const;

/** A synthetic study from formulas and a seeded generator; no network was trained. */
export function syntheticStudy({
  hosts = ['DGL', 'InfoPro'],
  modules = [4, 8],
  additions = decorators.length,
  seeds = 3,
  epochs = 6,
}: SyntheticOptions = {}): Study {
  const recipes = [
    ...hosts.flatMap((host, index) =>
      modules.flatMap((count) =>
        decorators.slice(0, additions).map((decorator) => localRecipe(host, index, decorator, count)),
      ),
    ),
    endToEnd('end to end', 1, 'residuals', 40e6, 3),
    endToEnd('end to end recomputed', 8, 'recompute', 14e6, 4),
  ];
  const conditions = recipes.map((recipe, index) => conditionOf(recipe, index, seeds, epochs));
  return {
    name: 'synthetic',
    title: 'Decorators around local methods',
    description: 'Does a decorator help each host?\n\nEvery number here is made up by a formula.',
    factors: ['host', 'add', 'modules'],
    conditions,
    compare: { factor: 'add', baseline: 'none' },
    reference: conditions.find(({ name }) => name === 'end to end')?.key ?? null,
    source: 'name: synthetic\nfactors:\n  add: { none: "{host}", MLAAN: "mlaan({host})" } # <not a tag> & "quoted"\n',
    commands: ['localgrad sweep run synthetic.yaml', 'localgrad report localgrad-sweeps/synthetic'],
  };
}

function localRecipe(host: string, index: number, decorator: (typeof decorators)[number], count: number): Recipe {
  const { label, gain, bytes, work, window } = decorator;
  const inner = host.toLowerCase();
  return {
    name: `${label === 'none' ? host : `${host} + ${label}`}, K = ${count}`,
    labels: { host, add: label, modules: String(count) },
    method: label === 'none' ? inner : `${label.toLowerCase()}(${inner})`,
    modules: count,
    memory: 'residuals',
    accuracy: 0.878 + 0.008 * index - 0.002 * count + gain,
    peakBytes: (6e6 + 40e6 / count) * bytes,
    unitsOfWork: 3.4 * work,
    objectives: [
      ...Array.from({ length: count }, (_, at): SummaryObjective => {
        const isLast = at === count - 1;
        return { id: isLast ? 'final' : `local/${at}`, role: isLast ? 'final' : 'independent', span: [at, at] };
      }),
      ...(window
        ? Array.from({ length: count - 1 }, (_, at): SummaryObjective => {
            return { id: `window/${at + 1}`, role: 'cascaded', span: [at, at + 1] };
          })
        : []),
    ],
  };
}

function endToEnd(name: string, modules: number, memory: Recipe['memory'], peakBytes: number, work: number): Recipe {
  const objectives = [{ id: 'final', role: 'final', span: [0, modules - 1] }] as const;
  return {
    name,
    labels: {},
    method: 'backprop',
    modules,
    memory,
    accuracy: 0.886,
    peakBytes,
    unitsOfWork: work,
    objectives,
  };
}

function conditionOf(recipe: Recipe, index: number, seeds: number, epochs: number): Condition {
  const wanted = Array.from({ length: seeds }, (_, at) => at + 1);
  const config = { method: recipe.method, modules: recipe.modules, memory: recipe.memory, batch: 64, epochs };
  return {
    key: `condition-${index}`,
    name: recipe.name,
    labels: recipe.labels,
    config,
    runs: wanted.map((seed) => runOf(recipe, index, seed, epochs, config)),
    seeds: wanted,
  };
}

function runOf(recipe: Recipe, index: number, seed: number, epochs: number, config: Condition['config']): FinishedRun {
  const random = createRandom(1000 * index + seed);
  const noise = (scale: number) => scale * (2 * random.uniform() - 1);
  const level = recipe.accuracy + noise(0.006);
  const seconds = 20 * recipe.unitsOfWork * (1 + noise(0.02));
  const records = Array.from({ length: epochs }, (_, at): EpochRecord => {
    const share = (at + 1) / epochs;
    const testAccuracy = level - 0.35 * Math.exp(-4 * share) + noise(0.003);
    return {
      epoch: at + 1,
      losses: Object.fromEntries(
        recipe.objectives.map(({ id, role, span }) => [
          id,
          (role === 'cascaded' ? 0.8 : 1) * (0.3 + Math.exp(-3 * share) + 0.5 / (1 + span[1])) + noise(0.02),
        ]),
      ),
      learningRate: 0.1 * (1 - share),
      seconds: seconds / epochs,
      imagesPerSecond: (5000 * epochs) / seconds,
      peakBytes: recipe.peakBytes,
      testAccuracy,
      testLoss: 2 * (1 - testAccuracy),
    };
  });
  return {
    folder: `/results/synthetic/runs/condition-${index}/seed-${seed}`,
    seed,
    summary: { ...summaryOf(recipe, index, seed, config, records), seconds, totalSeconds: seconds * 1.2 },
    environment: {
      localgrad: '0.1.0',
      commit: 'abcdef123456',
      date: `2026-01-0${(seed % 9) + 1}T03:04:05.000Z`,
      cpu: 'Some processor',
      cores: 2,
    },
  };
}

function summaryOf(
  { method, modules, peakBytes, unitsOfWork, objectives, accuracy }: Recipe,
  index: number,
  seed: number,
  config: Condition['config'],
  epochs: readonly EpochRecord[],
): Omit<RunSummary, 'seconds' | 'totalSeconds'> {
  const accuracies = epochs.map((epoch) => epoch.testAccuracy ?? 0);
  return {
    formatVersion: 1,
    status: 'finished',
    runId: `${index}-${seed}`,
    config: { ...config, seed },
    backend: 'wasm',
    testAccuracy: accuracies.at(-1) ?? null,
    bestTestAccuracy: Math.max(...accuracies),
    peakBytes,
    steps: 79 * epochs.length,
    epochs,
    objectives,
    cost: {
      backboneParameters: 464_154,
      trainedParameters: 464_154 + 10_000 * objectives.length,
      unitsOfWork,
      multiplyAccumulatesPerImage: 69e6 * unitsOfWork,
      predictedPeakBytes: peakBytes,
    },
    probes: Array.from({ length: modules }, (_, at) => {
      const isLocal = method !== 'backprop';
      return accuracy - (isLocal ? 0.25 : 0.4) * (1 - (at + 1) / modules) ** 2;
    }),
    resumptions: seed === 2 ? 1 : 0,
  };
}
