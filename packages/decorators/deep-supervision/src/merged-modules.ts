import {
  at,
  type BlockPlace,
  createNetwork,
  type HeadContext,
  type HeadFactory,
  type HeadReference,
  LocalgradError,
  moduleInputTarget,
  type Network,
  type Objective,
  type Phase,
  type Span,
  type TrainingPlan,
} from '@localgrad/core';

/** A network some of whose modules are one, for a method that is to train them together. */
export class MergedModules {
  /** The network with these modules. */
  readonly network: Network;
  readonly #modules: Network['modules'];
  /** Modules of the original network in each of these. */
  readonly #spans: readonly Span[];

  /** @param inner modules that are one with the module after them */
  constructor(network: Network, inner: ReadonlySet<number>) {
    const { modules } = network;
    const starts = modules.map(({ index }) => index).filter((index) => !inner.has(index - 1));
    this.#modules = modules;
    this.#spans = starts.map((start, index): Span => [start, (starts[index + 1] ?? modules.length) - 1]);
    const sizes = this.#spans.map(([from, to]) =>
      modules.slice(from, to + 1).reduce((sum, { members }) => sum + members.length, 0),
    );
    this.network = createNetwork(network.backbone, sizes);
  }

  /** A plan for the merged network as one for the original. */
  expand(plan: TrainingPlan): TrainingPlan {
    const heads = new Map<string, HeadReference>();
    const { phases, rewriteBlock } = plan;
    return {
      ...plan,
      objectives: plan.objectives.map((objective) => this.#objective(objective, heads)),
      ...(phases === undefined ? {} : { phases: { ...phases, phases: phases.phases.map((one) => this.#phase(one)) } }),
      ...(rewriteBlock === undefined
        ? {}
        : { rewriteBlock: (block, place) => rewriteBlock.call(plan, block, this.#placeOf(place)) }),
    };
  }

  /** Objectives with one head keep one. */
  #objective(objective: Objective, heads: Map<string, HeadReference>): Objective {
    const [from, to] = objective.span;
    const span: Span = [this.#span(from)[0], this.#span(to)[1]];
    const head = heads.get(objective.head.key) ?? this.#head(objective.head, to);
    heads.set(objective.head.key, head);
    return { ...objective, span, head };
  }

  #head({ factory, ...reference }: HeadReference, merged: number): HeadReference {
    return factory === undefined ? reference : { ...reference, factory: this.#factory(factory, merged) };
  }

  /** Builds heads for their place in the merged network. */
  #factory(factory: HeadFactory, merged: number): HeadFactory {
    const { terms } = factory;
    return {
      ...factory,
      ...(terms === undefined
        ? {}
        : { terms: terms.map((term) => ({ ...term, factory: this.#factory(term.factory, merged) })) }),
      build: (context, scope) => {
        const [from, to] = this.#span(merged);
        const moduleInputShape = at(this.#modules, from, 'module').inputShape;
        const there: HeadContext = {
          ...context,
          module: merged,
          modules: this.network.modules.length,
          moduleInputShape,
        };
        const head = factory.build(there, scope);
        if (from === to || head.reads?.includes(moduleInputTarget) !== true) return head;
        throw new LocalgradError(
          'invalid-option',
          `deep-supervision: head '${head.name}' reads the input of its module, which is not kept for modules ${from} to ${to} together. Choose a head that does not, or other modules in option 'after'.`,
          { head: head.name, modules: [from, to] },
        );
      },
    };
  }

  #phase({ frozen, ...phase }: Phase): Phase {
    if (frozen === undefined) return phase;
    return { ...phase, frozen: frozen.flatMap((merged) => indices(this.#span(merged))) };
  }

  #placeOf({ module, index }: BlockPlace): BlockPlace {
    const merged = this.#spans.findIndex(([, to]) => module <= to);
    const before = this.#modules.slice(this.#span(merged)[0], module);
    return { module: merged, index: before.reduce((sum, { members }) => sum + members.length, index) };
  }

  #span(merged: number): Span {
    return at(this.#spans, merged, 'module');
  }
}

function indices([from, to]: Span): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
