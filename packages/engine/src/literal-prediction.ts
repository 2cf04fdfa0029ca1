import { type Block, bytesOf, type Head, type Span } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import type { CompiledHead } from './heads.js';

/** One run forward through the modules of a span, and the heads that are read at its end. */
interface LiteralPath {
  readonly span: Span;
  /** One entry for each loss: a head that two losses read is evaluated twice. */
  readonly heads: readonly Head[];
}

/** What the procedure of reference implementations costs (methods.md §7.1): see `createLiteralExecutor`. */
export interface LiteralPrediction {
  /** Forwards of each module in a step. */
  readonly forwards: readonly number[];
  /** Backwards of each module in a step; one counts as two forwards. */
  readonly backwards: readonly number[];
  /** Evaluations of heads, each forward and backward. */
  readonly evaluations: readonly Head[];
  /** Bytes alive at the worst moment: all paths that end at a module keep residuals of their own. */
  readonly peakBytes: number;
}

/**
 * Counts what `createLiteralExecutor` does, without doing it. Where no module lies in two spans there is nothing to repeat
 * (end-to-end training, for instance), and each span is run once.
 */
export function predictLiteral(compiled: CompiledPlan, batchSize: number): LiteralPrediction {
  const hasOverlap = compiled.modules.some((_, module) => startsAt(compiled, module).size > 1);
  const paths = compiled.modules.map((_, module) =>
    pathsTo(compiled.heads.get(module) ?? [], module).filter(({ heads }) => hasOverlap || heads.length > 0),
  );
  const all = paths.flat();
  const passes = (chosen: readonly LiteralPath[], module: number) =>
    chosen.filter(({ span: [from, to] }) => from <= module && module <= to).length;
  const trained = all.filter(({ heads }) => heads.length > 0);
  return {
    forwards: compiled.modules.map((_, module) => passes(all, module)),
    backwards: compiled.modules.map((_, module) => passes(trained, module)),
    evaluations: all.flatMap(({ heads }) => heads),
    peakBytes: predictPeak(compiled, paths, batchSize),
  };
}

/** The distinct spans that a module lies in. */
function startsAt({ objectives }: CompiledPlan, module: number): Set<string> {
  return new Set(
    objectives.flatMap(({ span: [from, to] }) => (from <= module && module <= to ? [`${from}-${to}`] : [])),
  );
}

/** The spans that end at a module. Its own comes first, and is run even if no loss stands there. */
function pathsTo(heads: readonly CompiledHead[], module: number): LiteralPath[] {
  const paths = new Map<number, Head[]>([[module, []]]);
  for (const { head, objectives } of heads) {
    for (const { span } of objectives) paths.set(span[0], [...(paths.get(span[0]) ?? []), head]);
  }
  return [...paths].map(([from, found]) => ({ span: [from, module], heads: found }));
}

function predictPeak(compiled: CompiledPlan, paths: readonly (readonly LiteralPath[])[], batchSize: number): number {
  const block = (module: number) => compiled.modules[module] as Block;
  const outputBytes = (module: number) => bytesOf(block(module).outputShape, batchSize);
  const gradients = new Set<string>();
  let gradientBytes = 0;
  let live = 0;
  let peak = 0;
  const note = (extra: number) => {
    peak = Math.max(peak, live + gradientBytes + extra);
  };
  // Gradients add up until the optimizer's one step.
  const hold = (owner: Block | Head) => {
    for (const { name, kind, size } of owner.parameters) {
      if (kind !== 'weight' || gradients.has(name)) continue;
      gradients.add(name);
      gradientBytes += 4 * size;
    }
  };

  const forward = ([from, to]: Span) => {
    for (let module = from; module <= to; module++) {
      note(block(module).cost.forwardPeakBytes(batchSize));
      live += outputBytes(module) + block(module).cost.residualBytes(batchSize);
    }
  };
  const evaluate = (heads: readonly Head[], module: number) => {
    for (const [index, head] of heads.entries()) {
      note((index === 0 ? 0 : outputBytes(module)) + head.cost.evaluatePeakBytes(batchSize));
      hold(head);
    }
    if (heads.length > 0) live += outputBytes(module);
  };
  const backward = ([from, to]: Span, isTrained: boolean) => {
    for (let module = to; module >= from; module--) {
      const { cost, inputShape } = block(module);
      if (isTrained) {
        const want = { input: module > from, parameters: true, release: true };
        note(cost.vjpPeakBytes(batchSize, want));
        hold(block(module));
        live += (want.input ? bytesOf(inputShape, batchSize) : 0) - outputBytes(module);
      }
      live -= cost.residualBytes(batchSize);
    }
  };

  const kept = new Set<number>();
  paths.forEach((ending, module) => {
    for (const { span } of ending) forward(span);
    for (const { span, heads } of ending) {
      evaluate(heads, module);
      backward(span, heads.length > 0);
    }
    // Of all outputs one stays: what the next module, and later windows, start from.
    for (const { span } of ending) for (let index = span[0]; index <= module; index++) live -= outputBytes(index);
    if (ending.length > 0) {
      live += outputBytes(module);
      kept.add(module);
    }
    const lowest = Math.min(module + 1, ...compiled.objectives.flatMap(({ span: [a, b] }) => (b > module ? [a] : [])));
    for (const index of kept) {
      if (index >= lowest - 1) continue;
      kept.delete(index);
      live -= outputBytes(index);
    }
  });
  const { residentBytes, batchBytes } = compiled.predict(batchSize);
  return peak + residentBytes + batchBytes;
}
