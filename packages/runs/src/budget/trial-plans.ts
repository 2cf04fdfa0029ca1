import {
  at,
  type Backbone,
  createNetwork,
  LocalgradError,
  type LocalLearningMethod,
  type Parameter,
  type Partition,
} from '@localgrad/core';
import {
  type CompiledPlan,
  type CompileOptions,
  compilePlan,
  describePlan,
  type MemoryPolicy,
  type PredictionOptions,
} from '@localgrad/engine';
import { blankScope } from './blank-scope.js';

/** A way to cut and store a network, with its predicted cost. */
export interface Trial {
  readonly partition: Partition;
  readonly memory: MemoryPolicy;
  /** In forward passes of the network; end-to-end training: 3. */
  readonly unitsOfWork: number;
  readonly peakBytes: number;
  /** Peak bytes of a step while each module is running. */
  readonly modules: readonly number[];
  /** Indices of the modules that a later loss trains, too: those that can be recomputed. */
  readonly reopened: readonly number[];
  /** Whether every gradient reaches through the whole network. */
  readonly isEndToEnd: boolean;
}

export interface TrialOptions extends Omit<CompileOptions, 'scope' | 'memory'>, PredictionOptions {
  readonly backbone: Backbone;
  readonly method: LocalLearningMethod;
  readonly batch: number;
}

/** Predicts the cost of plans of one method on one backbone. Their heads have no values, and are freed at once. */
export class TrialPlans {
  readonly #known = new Map<string, Trial | LocalgradError>();

  constructor(readonly options: TrialOptions) {}

  /** Whether the method trains end to end. */
  get isEndToEnd(): boolean {
    const { length } = this.options.backbone.blocks;
    return this.measure(length < 2 ? [length] : [length >> 1, length - (length >> 1)])?.isEndToEnd === true;
  }

  /** Number of plans so far. */
  get count(): number {
    return this.#known.size;
  }

  /** Undefined if the method has no plan for this partition. */
  measure(partition: Partition, memory: MemoryPolicy = 'residuals'): Trial | undefined {
    const key = JSON.stringify([partition, memory]);
    const found = this.#known.get(key) ?? this.#attempt(partition, memory);
    this.#known.set(key, found);
    return found instanceof Error ? undefined : found;
  }

  /** Why a partition had no plan, if one did not. */
  get problem(): LocalgradError | undefined {
    return [...this.#known.values()].find((one) => one instanceof LocalgradError);
  }

  /**
   * Moves blocks out of the module with the highest peak, as long as that lowers the peak of the step: heads and chains count,
   * unlike in a partition that is balanced by the network's own activations.
   */
  balance(start: Partition): Trial | undefined {
    let best = this.measure(start);
    for (;;) {
      if (best === undefined) return undefined;
      const current: Trial = best;
      const better = neighborsOf(current)
        .flatMap((partition) => this.measure(partition) ?? [])
        .filter(({ peakBytes }) => peakBytes < current.peakBytes)
        .sort((a, b) => a.peakBytes - b.peakBytes)[0];
      if (better === undefined) return current;
      best = better;
    }
  }

  #attempt(partition: Partition, memory: MemoryPolicy): Trial | LocalgradError {
    const { backbone, method, batch, optimizer, accumulate, ...more } = this.options;
    const created: Parameter[] = [];
    try {
      const network = createNetwork(backbone, partition);
      const plan = method.plan(network);
      const compiled = compilePlan(network, plan, { ...more, scope: blankScope('', created), memory });
      const how = {
        ...(optimizer === undefined ? {} : { optimizer }),
        ...(accumulate === undefined ? {} : { accumulate }),
      };
      checkTrained(compiled, plan.method);
      const { peakBytes, modules } = compiled.predict(batch, { ...how, allGradients: true });
      const { unitsOfWork } = describePlan(compiled, batch, how).totals;
      const last = partition.length - 1;
      const isEndToEnd = compiled.objectives.every(({ span: [from, to] }) => from === 0 && to === last);
      const reopened = modules.flatMap((_, module) =>
        compiled.objectives.some(({ span: [from, to] }) => from <= module && module < to) ? [module] : [],
      );
      return { partition, memory, unitsOfWork, peakBytes, modules, reopened, isEndToEnd };
    } catch (error) {
      if (LocalgradError.isInstance(error)) return error;
      throw error;
    } finally {
      for (const parameter of created) parameter.dispose();
    }
  }
}

/** Partitions in which the module with the highest peak has one block less. */
function neighborsOf({ partition, modules }: Trial): Partition[] {
  const peak = modules.indexOf(Math.max(...modules));
  if (at(partition, peak, 'module') < 2) return [];
  return [peak - 1, peak + 1]
    .filter((other) => other >= 0 && other < partition.length)
    .map((other) => partition.map((size, module) => size + (module === other ? 1 : 0) - (module === peak ? 1 : 0)));
}

/** @throws LocalgradError about modules near the input that have no loss in this partition */
function checkTrained({ objectives, modules }: CompiledPlan, method: string): void {
  const untrained = modules.findIndex(
    (_, module) => !objectives.some(({ span: [from, to] }) => from <= module && module <= to),
  );
  if (untrained < 0) return;
  throw new LocalgradError(
    'invalid-plan',
    `${method}: no loss trains module ${untrained} of ${modules.length} in any of the partitions that were tried.`,
  );
}
