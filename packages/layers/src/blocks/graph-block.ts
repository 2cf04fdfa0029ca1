import {
  at,
  type Block,
  type Cotangents,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  type Shape3,
  type Want,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { evaluationPass, TrainingPass } from '@localgrad/nn/blocks';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import type { Join } from './joins.js';

/** One step of a graph: a block of one input, or a join of several. */
export interface GraphStep {
  readonly apply: Block | Join;
  /** Index of the step that computes each input; −1 for the graph's input. */
  readonly inputs: readonly number[];
}

interface GraphBlockOptions {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  /** In forward order; the last one computes the output. */
  readonly steps: readonly GraphStep[];
  readonly replicate: (scope: ParameterScope) => Block;
}

/** A step's forward pass in training. */
interface StepPass {
  readonly output: Tensor4D;
  /** Absent for joins. */
  readonly pass?: Pass;
}

/**
 * Blocks and joins that form a graph with one input and one output, as one block. Each cotangent is propagated once, after
 * it has been summed over all readers. Outputs between the steps are stored until the backward pass has passed them.
 */
export class GraphBlock implements Block {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly replicate: (scope: ParameterScope) => Block;
  readonly #steps: readonly GraphStep[];

  constructor(options: GraphBlockOptions) {
    this.name = options.name;
    this.inputShape = options.inputShape;
    this.outputShape = options.outputShape;
    this.replicate = options.replicate;
    this.#steps = options.steps;
    const blocks = options.steps.flatMap(({ apply }) => (isBlock(apply) ? [apply] : []));
    this.parameters = blocks.flatMap(({ parameters }) => parameters);
    this.statistics = blocks.flatMap(({ statistics }) => statistics);
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const passes: StepPass[] = [];
    const value = (index: number) => (index < 0 ? x : at(passes, index, 'step').output);
    for (const [index, { apply, inputs }] of this.#steps.entries()) {
      passes.push(forwardStep(apply, inputs.map(value), mode));
      if (!mode.training) this.#disposeRead(passes, index);
    }
    const { output } = at(passes, passes.length - 1, 'step');
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<readonly StepPass[]>(this, x, output, passes, releaseAll);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const passes = TrainingPass.open<readonly StepPass[]>(this, pass, want.release);
    const parameters = new Map<Parameter, Tensor>();
    const reached = this.#reachedSteps(want);
    const isReached = (index: number) => (index < 0 ? want.input : (reached[index] ?? false));
    const value = (index: number) => (index < 0 ? pass.input : at(passes, index, 'step').output);
    const cotangents = new Map<number, Tensor4D>([[passes.length - 1, dy]]);
    for (let index = passes.length - 1; index >= 0; index--) {
      const { apply, inputs } = at(this.#steps, index, 'step');
      const step = at(passes, index, 'step');
      const cotangent = cotangents.get(index);
      cotangents.delete(index);
      if (cotangent !== undefined && isReached(index)) {
        if (isBlock(apply)) {
          const source = at(inputs, 0, 'input');
          const result = apply.vjp(step.pass ?? pass, cotangent, { ...want, input: isReached(source) });
          for (const [parameter, gradient] of result.parameters) parameters.set(parameter, gradient);
          if (result.input !== undefined) addTo(cotangents, source, result.input);
        } else {
          for (const [position, part] of apply.split(cotangent, inputs.map(value)).entries()) {
            const source = at(inputs, position, 'input');
            if (isReached(source)) addTo(cotangents, source, part);
            else part.dispose();
          }
        }
      } else {
        cotangent?.dispose();
      }
      // Steps that read this output have been done.
      if (want.release) release(step, index < passes.length - 1);
    }
    const input = cotangents.get(-1);
    return input === undefined ? { parameters } : { input, parameters };
  }

  /** Whether each step's cotangent is needed: it leads to trained weights, or to the input if its cotangent is wanted. */
  #reachedSteps(want: Want): readonly boolean[] {
    const reached: boolean[] = [];
    for (const { apply, inputs } of this.#steps) {
      const isTrained = want.parameters && isBlock(apply) && apply.parameters.some(({ kind }) => kind === 'weight');
      reached.push(isTrained || inputs.some((input) => (input < 0 ? want.input : reached[input])));
    }
    return reached;
  }

  /** Frees the outputs that no step after this one reads. */
  #disposeRead(passes: readonly StepPass[], index: number): void {
    const later = this.#steps.slice(index + 1).flatMap(({ inputs }) => inputs);
    const read = new Set(at(this.#steps, index, 'step').inputs);
    for (const source of read) {
      if (source >= 0 && !later.includes(source)) at(passes, source, 'step').output.dispose();
    }
  }
}

function isBlock(apply: Block | Join): apply is Block {
  return 'vjp' in apply;
}

function forwardStep(apply: Block | Join, inputs: readonly Tensor4D[], mode: Mode): StepPass {
  if (!isBlock(apply)) return { output: apply.join(inputs) };
  const pass = apply.forward(at(inputs, 0, 'input'), mode);
  return { output: pass.output, pass };
}

function releaseAll(passes: readonly StepPass[]): void {
  for (const [index, step] of passes.entries()) release(step, index < passes.length - 1);
}

/** @param isOwned whether the output belongs to the graph; the last one belongs to the caller */
function release({ pass, output }: StepPass, isOwned: boolean): void {
  pass?.release();
  if (isOwned) output.dispose();
}

function addTo(cotangents: Map<number, Tensor4D>, index: number, part: Tensor4D): void {
  const before = cotangents.get(index);
  if (before === undefined) {
    cotangents.set(index, part);
    return;
  }
  cotangents.set(index, currentKernels().accumulate(before, part));
  part.dispose();
}
