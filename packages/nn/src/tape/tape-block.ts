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
  type Shape3,
  sameShape,
  sizeOf,
  type Want,
} from '@localgrad/core';
import { clone, dispose, engine, type Tensor, type Tensor4D, tidy, zerosLike } from '@tensorflow/tfjs';
import { isTrained } from '../blocks/convolution-unit.js';
import { evaluationPass, TrainingPass } from '../blocks/pass.js';

export interface TapeBlockOptions {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters?: readonly Parameter[];
  /** An ordinary TensorFlow.js function; gets the parameters' tensors in the order of `parameters`. Must be pure. */
  readonly fn: (x: Tensor4D, parameters: readonly Tensor[]) => Tensor4D;
  /** Builds the block anew in another scope; without it `replicate` throws `misuse`. */
  readonly replicate?: (scope: ParameterScope) => Block;
  /** Multiply-accumulates per sample; default 0. */
  readonly multiplyAccumulates?: number;
  /** Values that the tape keeps for one sample; default: four times input and output. Used to predict the peak. */
  readonly tapeValues?: number;
}

/**
 * A block out of a TensorFlow.js function, differentiated by the tape: nothing is kept between forward and backward,
 * and the forward is run again in each VJP.
 */
export function tapeBlock(options: TapeBlockOptions): Block {
  return new TapeBlock(options);
}

class TapeBlock implements Block {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: TapeBlockOptions;

  constructor(options: TapeBlockOptions) {
    const { name, inputShape, outputShape, parameters = [] } = options;
    const tapeValues = options.tapeValues ?? 4 * (sizeOf(inputShape) + sizeOf(outputShape));
    const gradients = parameters.reduce((sum, parameter) => sum + 4 * parameter.size, 0);
    this.name = name;
    this.inputShape = inputShape;
    this.outputShape = outputShape;
    this.parameters = parameters;
    this.#options = options;
    this.cost = {
      multiplyAccumulates: options.multiplyAccumulates ?? 0,
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => bytesOf(outputShape, batchSize) + 4 * batchSize * tapeValues,
      vjpPeakBytes: (batchSize) => 4 * batchSize * tapeValues + bytesOf(inputShape, batchSize) + gradients,
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const output = tidy(() => this.#run(x, this.parameters.map(tensorOf)));
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    const trained = want.parameters ? this.parameters.filter(isTrained) : [];
    const run = (x: Tensor4D, values: readonly Tensor[]) => this.#run(x, values);
    if (!want.input && trained.length === 0) {
      dy.dispose();
      return { parameters: new Map() };
    }
    const { value, input, gradients } = tapeGradients({
      ...{ x: pass.input, all: this.parameters, trained },
      ...{ run, dy, input: want.input },
    });
    dispose([value, dy]);
    return input === undefined ? { parameters: gradients } : { input: input as Tensor4D, parameters: gradients };
  }

  replicate(scope: ParameterScope): Block {
    const { replicate } = this.#options;
    if (replicate === undefined) {
      throw new LocalgradError(
        'misuse',
        `tapeBlock '${this.name}' cannot be replicated; give it an option 'replicate': (scope) => Block.`,
        { block: this.name },
      );
    }
    return replicate(scope);
  }

  #run(x: Tensor4D, values: readonly Tensor[]): Tensor4D {
    const result = this.#options.fn(x, values);
    // The output has an owner of its own.
    const output = result === x || values.includes(result) ? clone(result) : result;
    if (!sameShape(output.shape.slice(1), this.outputShape)) {
      throw new LocalgradError(
        'shape-mismatch',
        `tapeBlock '${this.name}' gave ${formatShape(output.shape.slice(1))} instead of its outputShape ${formatShape(this.outputShape)}.`,
        { block: this.name, given: output.shape, outputShape: this.outputShape },
      );
    }
    return output;
  }
}

export interface TapeRequest<T extends Tensor> {
  readonly x: Tensor4D;
  readonly all: readonly Parameter[];
  readonly trained: readonly Parameter[];
  readonly run: (x: Tensor4D, values: readonly Tensor[]) => T;
  /** Borrowed. */
  readonly dy: T;
  readonly input: boolean;
}

export interface TapeGradients<T extends Tensor> {
  /** The function's value; owned by the caller. */
  readonly value: T;
  /** Zero where the function does not depend on its input. */
  readonly input?: Tensor;
  /** Parameters on which the function does not depend are left out. */
  readonly gradients: Map<Parameter, Tensor>;
}

/** VJP of `run` by the tape. The caller owns the results. Leaves no other tensor behind. */
export function tapeGradients<T extends Tensor>(request: TapeRequest<T>): TapeGradients<T> {
  const { x, all, trained, run, dy, input } = request;
  const sources: Tensor[] = [...(input ? [x] : []), ...trained.map(tensorOf)];
  const gradients = new Map<Parameter, Tensor>();
  const compute = () => run(x, all.map(tensorOf));
  const { value, found } = tidy(() => {
    const result = engine().gradients(compute, sources, dy, true);
    // Sources that the result does not depend on have no gradient. Where it *is* the source, dy itself comes back.
    const own = result.grads.map((gradient: Tensor | null | undefined) => (gradient === dy ? clone(dy) : gradient));
    return { value: result.value as T, found: own as Tensor[] };
  }) as { value: T; found: (Tensor | null | undefined)[] };
  trained.forEach((parameter, index) => {
    const gradient = found[index + (input ? 1 : 0)];
    if (gradient) gradients.set(parameter, gradient);
  });
  if (!input) return { value, gradients };
  return { value, input: found[0] ?? zerosLike(x), gradients };
}

export function tensorOf(parameter: Parameter): Tensor {
  return parameter.value;
}
