import { at, get, type Head, type Objective, type Span } from '@localgrad/core';
import type { CompiledPhase } from './phases.js';
import type { HeadInputs } from './walk.js';

/** A loss in the reference procedure: a head shared by two losses is evaluated once per loss. */
export interface LiteralLoss {
  readonly objective: Objective;
  readonly head: Head;
}

/** One pass through the modules of a span, and the losses at its end. */
export interface LiteralPath {
  readonly span: Span;
  /** Whether the losses train any module; false for a frozen span and for a path without losses. */
  readonly isTrained: boolean;
  readonly losses: readonly LiteralLoss[];
}

/** Domain over which the reference procedure is interpreted: tensors (execution), or bytes and counts (prediction). */
export interface LiteralDomain<Value, Pass> {
  /** Input of the first module; never freed. */
  readonly images: Value;
  /**
   * Whether modules run on their own paths even if no module belongs to two spans, as in code written for windows. If
   * false, such plans repeat nothing, and end-to-end training is a single path.
   */
  readonly alwaysRepeats: boolean;
  forward(module: number, input: Value): { readonly output: Value; readonly pass: Pass };
  /**
   * Evaluates one loss on a module's output, or synthesizes its gradient. Returns the cotangent of the output, if requested.
   */
  evaluate(
    loss: LiteralLoss,
    module: number,
    read: Required<HeadInputs<Value>>,
    wantsCotangent: boolean,
  ): Value | undefined;
  /** Lets the heads that synthesize gradients of a module's output learn from the gradient. Consumes it. */
  teach(module: number, output: Value, gradient: Value): void;
  add(sum: Value, cotangent: Value): Value;
  /** Consumes the cotangent; returns that of the input, if requested. */
  vjp(module: number, pass: Pass, cotangent: Value, wantsInput: boolean): Value | undefined;
  release(module: number, pass: Pass): void;
  free(value: Value): void;
}

interface Run<Value, Pass> {
  readonly path: LiteralPath;
  readonly steps: readonly {
    readonly module: number;
    readonly input: Value;
    readonly output: Value;
    readonly pass: Pass;
  }[];
}

/**
 * The procedure of reference implementations: every span runs its own forward pass, starting from the detached output
 * of the preceding module, and its own backward pass. Each module up to the last loss also runs on its own path, whether or
 * not a loss ends there. All paths that end at a module store their residuals at the same time.
 */
export function walkLiterally<Value, Pass>(
  phase: CompiledPhase,
  modules: number,
  domain: LiteralDomain<Value, Pass>,
): void {
  const paths = literalPaths(phase, modules, domain.alwaysRepeats);
  const outputs = new Map<number, Value>([[-1, domain.images]]);
  const gradients = new Map<number, Value>();
  paths.forEach((ending, module) => {
    const runs = ending.map((path) => forward(path, outputs, domain));
    for (const run of runs) {
      const below = run.path.span[0] - 1;
      const teaches = run.path.isTrained && phase.taught.has(below);
      const gradient = backward(run, evaluate(run, domain), domain, teaches);
      if (!teaches || gradient === undefined) continue;
      const sum = gradients.get(below);
      gradients.set(below, sum === undefined ? gradient : domain.add(sum, gradient));
    }
    for (const [below, gradient] of gradients) {
      if (lastFrom(phase, below + 1) > module) continue;
      domain.teach(below, get(outputs, below, 'output'), gradient);
      gradients.delete(below);
    }
    // Only one output is kept: the next module and later windows start from it.
    const [next] = runs.flatMap(({ steps }) => steps.slice(-1));
    for (const { steps } of runs) for (const step of steps) if (step !== next) domain.free(step.output);
    if (next !== undefined) outputs.set(module, next.output);
    const later = phase.objectives.filter(({ span }) => span[1] > module).map(({ span }) => span[0]);
    const lowest = Math.min(module + 1, ...later);
    for (const [index, output] of outputs) {
      if (index < 0 || index >= lowest - 1) continue;
      domain.free(output);
      outputs.delete(index);
    }
  });
  for (const [index, output] of outputs) if (index >= 0) domain.free(output);
}

/** The highest module on which a loss is read that trains the modules from this one. */
function lastFrom({ objectives }: CompiledPhase, from: number): number {
  return Math.max(...objectives.filter(({ span }) => span[0] === from).map(({ span }) => span[1]));
}

/**
 * The paths that end at each module, starting with the module's own path. A module without a loss runs if a later path
 * starts from its output, as frozen modules do in sequential training; modules after the last loss do not.
 */
function literalPaths(phase: CompiledPhase, modules: number, alwaysRepeats: boolean): LiteralPath[][] {
  const spansOf = (module: number) =>
    new Set(
      phase.objectives.flatMap(({ span: [from, to] }) => (from <= module && module <= to ? [`${from}-${to}`] : [])),
    );
  const indices = Array.from({ length: modules }, (_, module) => module);
  const repeats = alwaysRepeats || indices.some((module) => spansOf(module).size > 1);
  const last = Math.max(...phase.objectives.map(({ span }) => span[1]));
  const starts = new Set<number>();
  const backwards = [...indices].reverse().map((module) => {
    const losses = new Map<number, LiteralLoss[]>([[module, []]]);
    for (const { head, objectives } of phase.heads.get(module) ?? []) {
      for (const objective of objectives) {
        const [from] = objective.span;
        losses.set(from, [...(losses.get(from) ?? []), { objective, head }]);
      }
    }
    const isFrozen = (from: number) => indices.slice(from, module + 1).every((index) => phase.frozen.has(index));
    const isOnlyInput = losses.size === 1 && starts.has(module + 1);
    const paths = [...losses]
      .filter(([, found]) => found.length > 0 || (repeats && module <= last) || isOnlyInput)
      .map(
        ([from, found]): LiteralPath => ({
          span: [from, module],
          losses: found,
          isTrained: found.length > 0 && !isFrozen(from),
        }),
      );
    for (const { span } of paths) starts.add(span[0]);
    return paths;
  });
  return backwards.reverse();
}

function forward<Value, Pass>(
  path: LiteralPath,
  outputs: ReadonlyMap<number, Value>,
  domain: LiteralDomain<Value, Pass>,
): Run<Value, Pass> {
  const [from, to] = path.span;
  let input = outputs.get(from - 1) ?? domain.images;
  const steps = [];
  for (let module = from; module <= to; module++) {
    const { output, pass } = domain.forward(module, input);
    steps.push({ module, input, output, pass });
    input = output;
  }
  return { path, steps };
}

/** Sums the cotangents of a path's losses. */
function evaluate<Value, Pass>({ path, steps }: Run<Value, Pass>, domain: LiteralDomain<Value, Pass>) {
  const { input, output, module } = at(steps, steps.length - 1, 'step of a path');
  let sum: Value | undefined;
  for (const loss of path.losses) {
    const cotangent = domain.evaluate(loss, module, { input, output }, path.isTrained);
    if (cotangent !== undefined) sum = sum === undefined ? cotangent : domain.add(sum, cotangent);
  }
  return sum;
}

/** Returns the cotangent of the first module's input, if requested. */
function backward<Value, Pass>(
  { steps }: Run<Value, Pass>,
  end: Value | undefined,
  domain: LiteralDomain<Value, Pass>,
  wantsInput: boolean,
): Value | undefined {
  let cotangent = end;
  for (const [index, { module, pass }] of [...steps.entries()].reverse()) {
    if (cotangent !== undefined) cotangent = domain.vjp(module, pass, cotangent, index > 0 || wantsInput);
    domain.release(module, pass);
  }
  return cotangent;
}
