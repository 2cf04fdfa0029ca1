import {
  type Backbone,
  createNetwork,
  LocalgradError,
  type LocalLearningMethod,
  type Parameter,
} from '@localgrad/core';
import { costOfHeads, type HeadCostOptions, type HeadsCost } from '@localgrad/engine';
import { blankScope } from './blank-scope.js';

/** The losses that read a module. */
export interface ModuleHeads {
  readonly cost: HeadsCost;
  /** For each head and each of its losses, the number of modules before this one that the loss also trains. */
  readonly losses: readonly (readonly number[])[];
  /** The same numbers as text. */
  readonly depths: string;
}

/** A module among others. */
interface ModulePlace {
  /** First blocks of the modules directly before. */
  readonly before: readonly number[];
  readonly start: number;
  /** The block after the last one. */
  readonly end: number;
  /** Whether the next module is the last one. */
  readonly isBeforeLast: boolean;
}

interface LocalHeadsOptions extends Omit<HeadCostOptions, 'scope'> {
  readonly backbone: Backbone;
  readonly method: LocalLearningMethod;
  /** Size of a micro-batch. */
  readonly partSize: number;
}

/**
 * Heads of a local method by the place of their module, from plans of few modules. Assumes that they depend on the last
 * block and the input's shape of their module, and on whether it is among the first or directly before the last.
 */
export class LocalHeads {
  readonly #options: LocalHeadsOptions;
  readonly #known = new Map<string, ModuleHeads | undefined>();
  /** Whether heads depend on `isBeforeLast`. */
  readonly dependOnEnd: boolean;

  constructor(options: LocalHeadsOptions) {
    this.#options = options;
    const place = { before: [], start: 1, end: 2 };
    const isDeep = options.backbone.blocks.length > 3;
    const [inner, outer] = [false, true].map((isBeforeLast) => isDeep && this.at({ ...place, isBeforeLast }));
    this.dependOnEnd = JSON.stringify(numbersOf(inner)) !== JSON.stringify(numbersOf(outer));
  }

  /** Undefined if the method has no plan for such modules. */
  at(place: ModulePlace): ModuleHeads | undefined {
    const { before, start, end, isBeforeLast } = place;
    const shape = this.#options.backbone.blocks[start]?.block.inputShape;
    const key = `${end} ${shape?.join('x')} ${before.length} ${start === 0} ${isBeforeLast}`;
    if (!this.#known.has(key)) this.#known.set(key, this.#build(place));
    return this.#known.get(key);
  }

  #build({ before, start, end, isBeforeLast }: ModulePlace): ModuleHeads | undefined {
    const { backbone, method, partSize, ...how } = this.#options;
    const count = backbone.blocks.length;
    const starts = [...new Set([0, ...before, start, end, ...(isBeforeLast ? [] : [end + 1])])].filter(
      (one) => one < count,
    );
    const sizes = starts.map((one, index) => (starts[index + 1] ?? count) - one);
    const module = starts.indexOf(start);
    const created: Parameter[] = [];
    try {
      const network = createNetwork(backbone, sizes);
      const plan = method.plan(network);
      if (plan.phases !== undefined) return undefined;
      const objectives = plan.objectives.filter(({ span, weight }) => span[1] === module && weight !== 0);
      if (objectives.some(({ head }) => head.shares !== undefined)) return undefined;
      const cost = costOfHeads(network, objectives, partSize, { ...how, scope: blankScope('', created) });
      const losses = cost.loads.map(({ starts: from }) => from.map((one) => module - (one ?? module)));
      return { cost, losses, depths: losses.join(' ') };
    } catch (error) {
      if (LocalgradError.isInstance(error)) return undefined;
      throw error;
    } finally {
      for (const parameter of created) parameter.dispose();
    }
  }
}

function numbersOf(heads: ModuleHeads | false | undefined): unknown {
  if (!heads) return heads;
  const { fixedBytes, multiplyAccumulates, loads } = heads.cost;
  return [
    fixedBytes,
    multiplyAccumulates,
    loads.map(({ evaluatePeakBytes, pooled, starts }) => [evaluatePeakBytes, pooled, starts]),
  ];
}
