import { type Head, type Parameter, type Pass, type Span, trainingMode, weightAt } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { sequential } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import { type Batch, checkBatch, type Executor, type StepOptions } from './executor.js';
import type { CompiledHead } from './heads.js';

/** A loss as the procedure below sees it. */
interface Loss {
  readonly id: string;
  readonly head: Head;
  readonly weight: number;
}

/** One run through the modules of a span, and the losses at its end. */
interface Path {
  readonly span: Span;
  readonly passes: readonly Pass[];
  readonly losses: readonly Loss[];
}

/**
 * The procedure of reference implementations, to compare with: every span is run forward for itself, from the detached
 * output of the module before it, and backward for itself; gradients add up (methods.md §5.2, §7.1). Each module runs
 * once on its own path, whether or not a loss stands there, and once in every window of several modules. Heads are
 * evaluated for each loss. Running statistics take in every forward.
 *
 * The gradients are those of `createExecutor`, for two to three times its work.
 */
export function createLiteralExecutor(compiled: CompiledPlan): Executor {
  return {
    step(batch, options) {
      checkBatch(compiled, batch);
      const losses = new Map<string, tf.Scalar>();
      const terms = new Map<string, tf.Scalar>();
      tf.tidy(() => runLiterally(compiled, batch, options, { losses, terms }));
      return { losses, terms };
    },
  };
}

interface Results {
  readonly losses: Map<string, tf.Scalar>;
  readonly terms: Map<string, tf.Scalar>;
}

function runLiterally(compiled: CompiledPlan, batch: Batch, options: StepOptions, results: Results): void {
  const modules = compiled.network.modules.map(({ index, blocks }) => sequential(`module${index}`, blocks));
  const outputs: tf.Tensor4D[] = [batch.images];
  const gradients = new Map<Parameter, tf.Tensor>();
  const add = (found: ReadonlyMap<Parameter, tf.Tensor>) => {
    for (const [parameter, gradient] of found) {
      const sum = gradients.get(parameter);
      gradients.set(parameter, sum === undefined ? gradient : currentKernels().accumulate(sum, gradient));
      if (sum !== undefined) gradient.dispose();
    }
  };

  const forward = ([from, to]: Span): Pass[] => {
    const passes: Pass[] = [];
    let x = outputs[from] as tf.Tensor4D;
    for (let module = from; module <= to; module++) {
      const pass = (modules[module] as (typeof modules)[number]).forward(x, trainingMode);
      passes.push(pass);
      x = pass.output;
    }
    return passes;
  };

  const evaluate = ({ passes, losses }: Path): tf.Tensor4D | undefined => {
    let cotangent: tf.Tensor4D | undefined;
    for (const { id, head, weight } of losses) {
      const output = (passes.at(-1) as Pass).output;
      const result = head.evaluate(output, batch.targets, { mode: trainingMode, weight, input: true });
      results.losses.set(id, tf.keep(result.loss));
      for (const [term, value] of result.terms ?? []) results.terms.set(`${id}/${term}`, tf.keep(value));
      add(result.parameters);
      const found = result.input as tf.Tensor4D;
      cotangent = cotangent === undefined ? found : currentKernels().accumulate(cotangent, found);
      if (cotangent !== found) found.dispose();
    }
    return cotangent;
  };

  const backward = ({ span: [from, to], passes }: Path, end: tf.Tensor4D | undefined) => {
    let cotangent = end;
    for (let module = to; module >= from; module--) {
      const pass = passes[module - from] as Pass;
      if (cotangent !== undefined) {
        const want = { input: module > from, parameters: true, release: true };
        const result = (modules[module] as (typeof modules)[number]).vjp(pass, cotangent, want);
        add(result.parameters);
        cotangent = result.input;
      } else pass.release();
    }
  };

  for (const { index } of compiled.network.modules) {
    const paths = pathsTo(compiled, index, options.progress ?? 0).map(
      ({ span, losses }): Path => ({ span, losses, passes: forward(span) }),
    );
    for (const path of paths) backward(path, evaluate(path));
    const own = paths.find(({ span }) => span[0] === index) as Path;
    const next = (own.passes[0] as Pass).output;
    for (const { passes } of paths) for (const { output } of passes) if (output !== next) output.dispose();
    outputs.push(next);
    // Only a window can still start here.
    const lowest = Math.min(
      index + 1,
      ...compiled.objectives.filter(({ span }) => span[1] > index).map(({ span }) => span[0]),
    );
    for (let module = 1; module < lowest; module++) outputs[module]?.dispose();
  }
  for (const output of outputs.slice(1)) output.dispose();
  for (const [parameter, gradient] of gradients) options.onGradient(parameter, tf.keep(gradient));
}

/** The spans that end at a module, its own first, each with its losses. */
function pathsTo(compiled: CompiledPlan, module: number, progress: number): Omit<Path, 'passes'>[] {
  const paths = new Map<number, Loss[]>([[module, []]]);
  for (const { head, objectives } of compiled.heads.get(module) ?? ([] as CompiledHead[])) {
    for (const { id, span, weight } of objectives) {
      const losses = paths.get(span[0]) ?? [];
      paths.set(span[0], [...losses, { id, head, weight: weightAt(weight, progress) }]);
    }
  }
  return [...paths].map(([from, losses]) => ({ span: [from, module], losses }));
}
