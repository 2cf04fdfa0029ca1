import { type Clock, get, Parameter } from '@localgrad/core';
import { type CompiledPlan, type HeadAverage, moveAverages } from '@localgrad/engine';
import type { StoredTensor } from '@localgrad/nn/serialization';
import type { BlockingReceiver } from './channel.js';
import { decodeWeights, tensorOf } from './message.js';

/** A connection from a worker whose weights averages of this one follow. */
export interface WeightSource {
  /** Names of the weights. */
  readonly names: readonly string[];
  readonly receiver: BlockingReceiver;
}

interface FollowedAverage {
  readonly average: HeadAverage;
  /** Number of steps between a step and the one whose weights its average follows. */
  readonly lag: number;
  /** Keys of the heads that use the average. */
  readonly readers: ReadonlySet<string>;
  readonly weights: ReceivedWeights;
}

interface PendingAverage extends FollowedAverage {
  readonly step: number;
}

/**
 * The averages of a part that follow weights of other workers. Each is moved before a head uses it again, not at the end of
 * the step, so that the owner of the weights has time to finish its step.
 */
export class FollowedWeights {
  readonly #delay: number;
  readonly #followed: readonly FollowedAverage[];
  readonly #histories: CompiledPlan['histories'];
  readonly #weights: readonly ReceivedWeights[];
  readonly #byName: ReadonlyMap<string, ReceivedWeights>;
  #pending: PendingAverage[] = [];
  #step: number | undefined;

  /**
   * @param part the part of a plan, with the averages and histories that follow weights of other parts
   * @param tensors those at the start, which contain earlier values of the weights
   */
  constructor(part: CompiledPlan, sources: readonly WeightSource[], tensors: ReadonlyMap<string, StoredTensor>) {
    const { delay } = part;
    const names = new Set(sources.flatMap((source) => source.names));
    this.#delay = delay;
    this.#histories = part.histories.filter(({ live }) => names.has(live.name));
    const earlier = this.#histories.map(({ live, values }) => {
      return [live.name, values.map(({ name }) => get(tensors, `parameters/${name}`, 'tensor'))] as const;
    });
    const received = sources.map((source) => {
      return { ...source, weights: new ReceivedWeights(source.receiver, delay + 2, new Map(earlier)) };
    });
    this.#weights = received.map(({ weights }) => weights);
    this.#byName = new Map(received.flatMap((one) => one.names.map((name) => [name, one.weights] as const)));
    const heads = [...part.heads.values()].flat();
    this.#followed = part.averages.flatMap((average) => {
      const weights = this.#byName.get(average.live.name);
      if (weights === undefined) return [];
      const readers = heads.filter(({ head }) => [...head.parameters, ...head.statistics].includes(average.average));
      const lag = average.when === 'afterUpdate' ? delay : delay + 1;
      return [{ average, lag, readers: new Set(readers.map(({ key }) => key)), weights }];
    });
  }

  /** Moves the averages that a head is about to use; waits for their weights. */
  beforeHead(key: string): void {
    this.#move(({ readers }) => readers.has(key));
  }

  /** @param heads keys of the heads that were evaluated in the step */
  endStep({ step }: Clock, heads: ReadonlySet<string>): void {
    // Those of heads that this step did not evaluate; their weights are not kept any longer.
    this.#move(() => true);
    this.#step = step + 1;
    for (const weights of this.#weights) weights.receiveUntil(step - this.#delay);
    const active = this.#followed.filter(({ average }) => heads.has(average.head));
    this.#pending.push(...active.map((one) => ({ ...one, step: step + 1 })));
  }

  /** Moves all averages, and waits for the weights after the last step. */
  settle(): void {
    this.#move(() => true);
    if (this.#step !== undefined) for (const weights of this.#weights) weights.receiveUntil(this.#step);
  }

  /** Earlier values of the weights, by their names in a checkpoint; call `settle` before. */
  tensors(): Map<string, StoredTensor> {
    const step = this.#step;
    if (step === undefined) return new Map();
    return new Map(
      this.#histories.flatMap(({ live, values }) =>
        values.map(({ name }, age) => {
          const weights = get(this.#byName, live.name, 'weight').after(step - age);
          return [`parameters/${name}`, get(weights, live.name, 'weight')] as const;
        }),
      ),
    );
  }

  #move(isDue: (one: PendingAverage) => boolean): void {
    const due = this.#pending.filter(isDue);
    if (due.length === 0) return;
    this.#pending = this.#pending.filter((one) => !due.includes(one));
    const sources = due.map(({ average: { live }, weights, step, lag }) => {
      return new Parameter(live.name, tensorOf(get(weights.after(step - lag), live.name, 'weight')));
    });
    moveAverages(due.map(({ average }, index) => ({ ...average, source: sources[index] ?? average.source })));
    for (const source of sources) source.dispose();
  }
}

/** The weights of another worker after the last steps. */
class ReceivedWeights {
  readonly #receiver: BlockingReceiver;
  readonly #kept: number;
  /** Values before the first message by name, the newest first. */
  readonly #earlier: ReadonlyMap<string, readonly StoredTensor[]>;
  readonly #byStep = new Map<number, ReadonlyMap<string, StoredTensor>>();
  #newest = Number.NEGATIVE_INFINITY;

  constructor(receiver: BlockingReceiver, kept: number, earlier: ReadonlyMap<string, readonly StoredTensor[]>) {
    this.#receiver = receiver;
    this.#kept = kept;
    this.#earlier = earlier;
  }

  /** The weights after a number of steps; waits for them. */
  after(step: number): ReadonlyMap<string, StoredTensor> {
    this.receiveUntil(step);
    return get(this.#byStep, step, 'step');
  }

  receiveUntil(step: number): void {
    while (this.#newest < step) this.#receive();
  }

  #receive(): void {
    const { step, weights } = decodeWeights(this.#receiver.receive());
    if (this.#byStep.size === 0) this.#addEarlier(step);
    this.#byStep.set(step, weights);
    this.#byStep.delete(step - this.#kept - 1);
    this.#newest = step;
  }

  #addEarlier(step: number): void {
    for (let age = 1; age <= this.#kept; age++) {
      const values = [...this.#earlier].flatMap(([name, tensors]) => {
        const tensor = tensors[age];
        return tensor === undefined ? [] : [[name, tensor] as const];
      });
      this.#byStep.set(step - age, new Map(values));
    }
  }
}
