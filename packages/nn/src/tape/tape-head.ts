import type { Head, HeadRequest, HeadResult, Parameter, Shape3, Targets } from '@localgrad/core';
import { bytesOf, sizeOf } from '@localgrad/core';
import { clone, type Scalar, scalar, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { isTrained } from '../blocks/convolution-unit.js';
import { tapeGradients, tensorOf } from './tape-block.js';

export interface TapeHeadOptions {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly parameters?: readonly Parameter[];
  /** The loss as an ordinary TensorFlow.js function; gets the parameters' tensors in the order of `parameters`. */
  readonly fn: (h: Tensor4D, targets: Targets, parameters: readonly Tensor[]) => Scalar;
  /** Class scores [batch, classes], where the head is a classifier. */
  readonly predict?: (h: Tensor4D, parameters: readonly Tensor[]) => Tensor;
  readonly multiplyAccumulates?: number;
  /** Values that the tape keeps for one sample; default: eight times the input. Used to predict the peak. */
  readonly tapeValues?: number;
}

/** A head out of a TensorFlow.js function from a feature map to a scalar loss, differentiated by the tape. */
export function tapeHead(options: TapeHeadOptions): Head {
  const { name, inputShape, parameters = [], fn, predict } = options;
  const tapeValues = options.tapeValues ?? 8 * sizeOf(inputShape);
  const parameterBytes = parameters.reduce((sum, parameter) => sum + 4 * parameter.size, 0);
  const trained = parameters.filter(isTrained);

  const evaluate = (h: Tensor4D, targets: Targets, { mode, weight, input }: HeadRequest): HeadResult => {
    const run = (x: Tensor4D, values: readonly Tensor[]): Scalar => {
      const loss = fn(x, targets, values);
      // The loss has an owner of its own.
      return values.includes(loss) ? clone(loss) : loss;
    };
    if (!mode.training || (!input && trained.length === 0)) {
      return { loss: tidy(() => run(h, parameters.map(tensorOf))), parameters: new Map() };
    }
    const dy = scalar(weight);
    const { value, input: dx, gradients } = tapeGradients<Scalar>({ x: h, all: parameters, trained, run, dy, input });
    dy.dispose();
    const result = { loss: value, parameters: gradients };
    return dx === undefined ? result : { ...result, input: dx as Tensor4D };
  };

  return {
    name,
    inputShape,
    parameters,
    statistics: [],
    cost: {
      multiplyAccumulates: options.multiplyAccumulates ?? 0,
      evaluatePeakBytes: (batchSize) => 4 * batchSize * tapeValues + bytesOf(inputShape, batchSize) + parameterBytes,
    },
    evaluate,
    ...(predict === undefined ? {} : { predict: (h) => tidy(() => predict(h, parameters.map(tensorOf))) }),
  };
}
