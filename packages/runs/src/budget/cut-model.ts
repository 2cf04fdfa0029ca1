import { createNetwork, LocalgradError, type Parameter } from '@localgrad/core';
import { costOfHeads, type HeadCostOptions } from '@localgrad/engine';
import { blankScope } from './blank-scope.js';
import { endToEndCuts } from './end-to-end-cuts.js';
import { type CutState, type Cuts, type FoundCut, followCut, leastWork, lowestPeak } from './least-work.js';
import { localCuts } from './local-cuts.js';
import { LocalHeads } from './local-heads.js';
import { PartCosts } from './part-costs.js';
import type { Trial, TrialOptions, TrialPlans } from './trial-plans.js';

/** Windows of more modules have too many combinations of deep networks. */
const mostStates = 5000;

/**
 * Work and memory of all cuts of a network, in closed form: exact for end-to-end training, and for methods whose losses depend
 * on the modules next to theirs only. Whether a method is one of these shows in `agrees`.
 */
export class CutModel {
  readonly #cuts: Cuts<CutState>;
  /** Bytes that do not depend on the cut. */
  readonly #constantBytes: number;
  /** Multiply-accumulates of a unit of work. */
  readonly #unit: number;

  private constructor(cuts: Cuts<CutState>, reference: Trial, same: FoundCut) {
    this.#cuts = cuts;
    this.#constantBytes = reference.peakBytes - same.peakBytes;
    this.#unit = same.work / reference.unitsOfWork;
  }

  /** Undefined for methods with phases, with heads that share weights, or with too many combinations. */
  static of(trials: TrialPlans): CutModel | undefined {
    const { backbone } = trials.options;
    const count = backbone.blocks.length;
    const reference = trials.measure(trials.isEndToEnd ? [count] : [count >> 1, count - (count >> 1)]);
    const cuts = trials.isEndToEnd ? endToEnd(trials.options) : local(trials.options);
    const same = cuts && reference && followCut(cuts, reference.partition, []);
    return cuts && reference && same && new CutModel(cuts, reference, same);
  }

  /** The cut with the least work whose peak is at most `limitBytes`. @param known plans that may fit */
  leastWork(limitBytes: number, known: readonly Trial[]): FoundCut | undefined {
    const fitting = known.filter((trial) => trial.peakBytes <= limitBytes && this.agrees(trial));
    const enough = Math.min(...fitting.map(({ unitsOfWork }) => unitsOfWork)) * this.#unit * (1 + 1e-9);
    return leastWork(this.#cuts, limitBytes - this.#constantBytes, enough);
  }

  lowestPeak(): FoundCut | undefined {
    return lowestPeak(this.#cuts);
  }

  /** Whether the model predicts what the engine predicts for a compiled plan. */
  agrees({ partition, memory, peakBytes, unitsOfWork }: Trial): boolean {
    const recompute = typeof memory === 'string' ? [] : memory.recompute;
    const found = followCut(this.#cuts, partition, recompute);
    if (found === undefined) return false;
    const isSamePeak = Math.abs(found.peakBytes + this.#constantBytes - peakBytes) < 1;
    return isSamePeak && Math.abs(found.work / this.#unit - unitsOfWork) < 1e-9 * unitsOfWork;
  }
}

function endToEnd(options: TrialOptions): Cuts<CutState> | undefined {
  const { backbone, method } = options;
  const partSize = partSizeOf(options);
  const network = createNetwork(backbone, [backbone.blocks.length]);
  const { objectives, phases } = method.plan(network);
  if (phases !== undefined) return undefined;
  const created: Parameter[] = [];
  const classifier = costOfHeads(network, objectives, partSize, { ...howOf(options), scope: blankScope('', created) });
  for (const parameter of created) parameter.dispose();
  return endToEndCuts(new PartCosts(backbone.blocks, partSize), classifier);
}

function local(options: TrialOptions): Cuts<CutState> | undefined {
  const { backbone, method } = options;
  const window = windowOf(options);
  if (window === undefined || backbone.blocks.length ** window > mostStates) return undefined;
  const partSize = partSizeOf(options);
  const heads = new LocalHeads({ backbone, method, partSize, ...howOf(options) });
  return localCuts(new PartCosts(backbone.blocks, partSize), heads, window);
}

/** Most modules that a local loss trains, where each block is a module. */
function windowOf({ backbone, method }: TrialOptions): number | undefined {
  try {
    const { objectives, phases } = method.plan(
      createNetwork(
        backbone,
        backbone.blocks.map(() => 1),
      ),
    );
    const last = backbone.blocks.length - 1;
    const isLocal = objectives.some(({ span }) => span[1] < last);
    if (!isLocal || phases !== undefined) return undefined;
    return Math.max(...objectives.flatMap(({ span: [from, to] }) => (to < last ? [to - from + 1] : [])));
  } catch (error) {
    if (LocalgradError.isInstance(error)) return undefined;
    throw error;
  }
}

function howOf({ optimizer, accumulate, createTargets }: TrialOptions): Omit<HeadCostOptions, 'scope'> {
  return { optimizer, accumulate, createTargets };
}

function partSizeOf({ batch, accumulate = 1 }: TrialOptions): number {
  return Math.ceil(batch / accumulate);
}
