import { configError } from '../config/config-error.js';
import { balanced, comparedCuts, evenly } from './compared-cuts.js';
import { CutModel } from './cut-model.js';
import type { FoundCut } from './least-work.js';
import type { Trial, TrialPlans } from './trial-plans.js';

/** How a network is cut and stored to stay within a number of bytes. */
export interface BudgetChoice extends Omit<Trial, 'modules' | 'reopened'> {
  readonly budgetBytes: number;
  /** Whether no other cut and recomputation does less work within the budget; else the best of `compared` plans. */
  readonly isOptimal: boolean;
  /** Number of plans that were compiled. */
  readonly compared: number;
  /** One sentence. */
  readonly reason: string;
}

/** Tightened limits for models that differ from the engine. */
const mostAttempts = 8;

/** `256MiB` → bytes. @throws LocalgradError about `memoryBudget` */
export function budgetBytesOf(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB)$/.exec(text.trim()) ?? [];
  const powers: Readonly<Record<string, number>> = { KiB: 1, MiB: 2, GiB: 3 };
  const bytes = Number(amount) * 1024 ** (powers[unit ?? ''] ?? Number.NaN);
  if (bytes > 0) return bytes;
  throw configError('memoryBudget', `'${text}'; allowed: a number with KiB, MiB or GiB, e.g. 256MiB.`);
}

/**
 * The least work whose predicted peak is within a budget, over all cuts into modules, and all choices of modules to recompute:
 * exact wherever the cost of a plan follows from its modules (`CutModel`), and otherwise the best of some plans.
 *
 * @throws LocalgradError about `memoryBudget` with the smallest budget that a plan meets
 */
export function chooseWithinBudget(
  trials: TrialPlans,
  budgetBytes: number,
  show: (bytes: number) => string,
): BudgetChoice {
  const model = CutModel.of(trials);
  const found = model === undefined ? [] : modeled(model, trials, budgetBytes);
  const isOptimal = model !== undefined && [...samples(trials), ...found].every((trial) => model.agrees(trial));
  const candidates = isOptimal ? found : [...found, ...comparedCuts(trials, budgetBytes)];
  const [best] = candidates.filter(({ peakBytes }) => peakBytes <= budgetBytes).sort(byWork);
  if (best === undefined) {
    const [lowest] = candidates.sort((a, b) => a.peakBytes - b.peakBytes);
    if (lowest === undefined) throw trials.problem ?? configError('memoryBudget', 'the method has no plan.');
    throw configError(
      'memoryBudget',
      `no plan needs at most ${show(budgetBytes)}: the lowest predicted peak is ${show(lowest.peakBytes)}, with ${describe(lowest)}. Use a budget of at least ${smallestBudget(lowest.peakBytes)}, a smaller batch, or more micro-batches (accumulate).`,
      { code: 'out-of-memory', mentions: ['accumulate'] },
    );
  }
  const { modules: _modules, reopened: _reopened, ...chosen } = best;
  const among = isOptimal ? 'of all plans' : `of ${trials.count} plans`;
  const reason = `${describe(best)}: ${best.unitsOfWork.toFixed(2)} units of work, the least ${among} that stay within ${show(budgetBytes)} (predicted peak ${show(best.peakBytes)}).`;
  return { ...chosen, budgetBytes, isOptimal, compared: trials.count, reason };
}

/** The model's choice as a compiled plan, or its plan with the lowest peak if nothing fits. */
function modeled(model: CutModel, trials: TrialPlans, budgetBytes: number): Trial[] {
  const measured: Trial[] = [];
  let limit = budgetBytes;
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const trial = measure(trials, model.leastWork(limit, samples(trials)) ?? model.lowestPeak());
    if (trial === undefined) break;
    measured.push(trial);
    const excess = trial.peakBytes - budgetBytes;
    if (excess <= 0) break;
    limit -= excess;
  }
  return measured;
}

function measure(trials: TrialPlans, cut: FoundCut | undefined): Trial | undefined {
  if (cut === undefined) return undefined;
  const { partition, recompute } = cut;
  return trials.measure(partition, trials.isEndToEnd || recompute.length > 0 ? { recompute } : 'residuals');
}

/** Plans that show whether a model holds. */
function samples(trials: TrialPlans): Trial[] {
  const { blocks } = trials.options.backbone;
  return [2, 3, 5, 9]
    .filter((modules) => modules <= blocks.length)
    .flatMap((modules) => [evenly(blocks.length, modules), balanced(blocks, modules)])
    .flatMap((partition) => trials.measure(partition, trials.isEndToEnd ? { recompute: [0] } : 'residuals') ?? []);
}

function byWork(a: Trial, b: Trial): number {
  return a.unitsOfWork - b.unitsOfWork || a.peakBytes - b.peakBytes;
}

/** As the option is written, rounded up. */
function smallestBudget(bytes: number): string {
  const [power, unit] = bytes < 1024 ** 2 ? [1, 'KiB'] : [2, 'MiB'];
  return `${Math.ceil((100 * bytes) / 1024 ** power) / 100}${unit}`;
}

function describe({ partition, memory, isEndToEnd }: Trial): string {
  const recomputed = typeof memory === 'string' ? [] : memory.recompute;
  if (isEndToEnd && recomputed.length === 0) return 'all activations stored';
  if (isEndToEnd) {
    const sizes = partition.map((size, module) => (recomputed.includes(module) ? `${size}r` : String(size)));
    const total = partition.reduce((sum, size) => sum + size, 0);
    const prefix = recomputed.every((module, index) => module === index);
    if (!prefix) return `${recomputed.length} of ${partition.length} segments recomputed (blocks ${sizes.join(', ')})`;
    const blocks = partition.slice(0, recomputed.length).join(', ');
    const segments = recomputed.length === 1 ? 'segment' : `${recomputed.length} segments`;
    return `the first ${segments} recomputed (${blocks} of the ${total} blocks)`;
  }
  const every = memory === 'recompute' || recomputed.length === partition.length;
  const some = recomputed.length === 0 ? '' : `, modules ${recomputed.join(', ')} recomputed`;
  const again = every ? ', recomputed' : some;
  return `${partition.length} ${partition.length === 1 ? 'module' : 'modules'} of ${partition.join(', ')} blocks${again}`;
}
