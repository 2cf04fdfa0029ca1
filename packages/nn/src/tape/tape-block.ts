import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  formatShape,
  LocalgradError,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  requireOption,
  type Shape3,
  sameShape,
  type Want,
} from '@localgrad/core';
import { clone, dispose, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { isTrained } from '../blocks/convolution-unit.js';
import { evaluationPass, TrainingPass } from '../blocks/pass.js';
import { callFunction, type TapeFunction, tensorOrObject } from './tape-function.js';
import { Extras, tapeGradients } from './tape-gradients.js';
import {
  type TapeContext,
  type TapeParameterOptions,
  TapeParameters,
  tapeParameterOptionNames,
} from './tape-parameters.js';

/** A block's output with its batch statistics. */
export interface TapeOutput {
  /** [batch, ...outputShape] */
  readonly output: Tensor;
  /** In training: the batch's values of the declared statistics, in their order. */
  readonly statistics?: readonly Tensor[];
}

export interface TapeBlockOptions extends TapeParameterOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Shape [height, width, channels] of one sample's output. */
  readonly outputShape: Shape3;
  /**
   * An ordinary TensorFlow.js function; receives the parameters' tensors in the order of `parameters`. Must be pure,
   * because each VJP runs it again.
   */
  readonly fn: (x: Tensor4D, parameters: readonly Tensor[], context: TapeContext) => Tensor | TapeOutput;
  /** Builds a copy of the block in another scope. Without it, `replicate` throws `misuse`. */
  readonly replicate?: (scope: ParameterScope) => Block;
  /** Multiply-accumulates per sample; counted once by default. */
  readonly multiplyAccumulates?: number;
  /** Number of values that the tape stores per sample, to predict memory; measured once by default. */
  readonly tapeValues?: number;
}

const optionNames: readonly (keyof TapeBlockOptions)[] = [
  ...tapeParameterOptionNames,
  'name',
  'inputShape',
  'outputShape',
  'fn',
  'replicate',
  'multiplyAccumulates',
  'tapeValues',
];

/**
 * A block defined by a TensorFlow.js function and differentiated by the tape. Stores nothing between forward and
 * backward pass; each VJP runs the forward pass again.
 */
export function tapeBlock(options: TapeBlockOptions): Block {
  return new TapeBlock(options);
}

class TapeBlock implements Block {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost?: BlockCost;
  readonly #options: TapeBlockOptions;
  readonly #own: TapeParameters;

  constructor(options: TapeBlockOptions) {
    const { name, inputShape, outputShape } = options;
    const where = `tapeBlock '${name}'`;
    rejectUnknownKeys(where, options, optionNames);
    requireOption(typeof options.fn === 'function', where, 'fn', options.fn, 'a function');
    this.name = name;
    this.inputShape = inputShape;
    this.outputShape = outputShape;
    this.#options = options;
    this.#own = new TapeParameters(where, name, options);
    this.parameters = this.#own.parameters;
    this.statistics = this.#own.statistics;
    const cost = statedCost(options, this.parameters);
    if (cost !== undefined) this.cost = cost;
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const extras = new Extras();
    let statistics: readonly Tensor[] | undefined;
    const output = tidy(() => {
      const result = this.#run(x, mode);
      statistics = result.statistics?.map((tensor) => extras.keep(tensor));
      return result.output;
    });
    this.#own.update(statistics, mode);
    extras.dispose();
    return mode.training ? new TrainingPass(this, x, output, mode, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const mode = TrainingPass.open<Mode>(this, pass, want.release);
    const trained = want.parameters ? this.parameters.filter(isTrained) : [];
    if (!want.input && trained.length === 0) {
      dy.dispose();
      return { parameters: new Map() };
    }
    const { input: x } = pass;
    const run = () => this.#run(x, mode).output;
    const { value, input, gradients } = tapeGradients({
      where: `tapeBlock '${this.name}'`,
      ...{ x, trained, run, dy, input: want.input },
    });
    dispose([value, dy]);
    return input === undefined ? { parameters: gradients } : { input, parameters: gradients };
  }

  replicate(scope: ParameterScope): Block {
    const { replicate } = this.#options;
    if (replicate === undefined) {
      throw new LocalgradError(
        'misuse',
        `tapeBlock '${this.name}' cannot be replicated; pass option 'replicate': (scope) => Block.`,
        { block: this.name },
      );
    }
    return replicate(scope);
  }

  #run(x: Tensor4D, mode: Mode): TapeOutput & { readonly output: Tensor4D } {
    const values = this.#own.values();
    const context = this.#own.context(mode);
    const from: TapeFunction = { where: `tapeBlock '${this.name}'`, option: 'fn', parameters: this.parameters };
    const called = callFunction(from, { x, ...this.#own.named() }, () => this.#options.fn(x, values, context));
    const returned = tensorOrObject<TapeOutput>(from, 'output', called);
    const { output: result, statistics } =
      'output' in returned ? returned : { output: returned, statistics: undefined };
    // The output is owned by the caller.
    const isBorrowed = result === x || values.includes(result) || context.statistics.includes(result);
    const output = (isBorrowed ? clone(result) : result) as Tensor4D;
    if (!sameShape(output.shape, [x.shape[0], ...this.outputShape])) {
      throw new LocalgradError(
        'shape-mismatch',
        `tapeBlock '${this.name}' returned ${formatShape(output.shape)} instead of ${formatShape([x.shape[0], ...this.outputShape])}: the batch and its outputShape.`,
        { block: this.name, given: output.shape, outputShape: this.outputShape },
      );
    }
    return statistics === undefined ? { output } : { output, statistics };
  }
}

/** The declared cost; undefined, and therefore measured, if the options do not declare it. */
function statedCost(options: TapeBlockOptions, parameters: readonly Parameter[]): BlockCost | undefined {
  const { tapeValues, multiplyAccumulates, inputShape, outputShape } = options;
  if (tapeValues === undefined || multiplyAccumulates === undefined) return undefined;
  const gradients = parameters.reduce((sum, { size }) => sum + 4 * size, 0);
  return {
    multiplyAccumulates,
    residualBytes: () => 0,
    forwardPeakBytes: (batchSize) => bytesOf(outputShape, batchSize) + 4 * batchSize * tapeValues,
    vjpPeakBytes: (batchSize) => 4 * batchSize * tapeValues + bytesOf(inputShape, batchSize) + gradients,
  };
}
