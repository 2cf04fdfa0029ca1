import {
  bytesOf,
  formatShape,
  type Initializer,
  LocalgradError,
  type Parameter,
  type ParameterScope,
  type Shape3,
} from '@localgrad/core';
import { bothAxes, type ConvolutionGeometry, convolutionMeasures, type PerAxis } from '@localgrad/kernels';
import { heNormalFanOut } from '../random/initializers.js';
import { type BatchNormParameters, createBatchNorm } from './batch-norm-parameters.js';

/** A convolution without bias followed by batch norm, the building block of residual networks. */
export interface ConvolutionUnit {
  readonly weight: Parameter;
  readonly norm: BatchNormParameters;
  readonly geometry: ConvolutionGeometry;
  /** Groups of channels that are convolved separately; 1 for an ordinary convolution. */
  readonly groups: number;
  /** Distance of neighboring taps of the filter; above 1, the stride is 1 and the size stays the same. */
  readonly dilation: number;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
}

/** Structure of a chain. */
export interface ChainStructure {
  /** Convolutions with batch norm, separated by ReLUs. */
  readonly units: readonly ConvolutionUnit[];
  /** Added before the last activation: nothing, the input, or its projection. */
  readonly shortcut: 'none' | 'identity' | ConvolutionUnit;
  /** Whether the chain ends with a ReLU. */
  readonly relu: boolean;
  /** Store only convolution outputs, and recompute batch norm and ReLU in the backward pass: half the memory. */
  readonly recompute: boolean;
  /** The output is not kept for the backward pass, which recomputes the last ReLU's mask. */
  readonly recomputeOutput?: boolean;
}

export interface ConvolutionUnitOptions {
  readonly scope: ParameterScope;
  /** Names of the two layers below the scope, e.g. `conv1` and `bn1`. */
  readonly names: readonly [convolution: string, batchNorm: string];
  readonly inputShape: Shape3;
  readonly channels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  /** Divides the channels of input and output. Default 1. */
  readonly groups?: number;
  /** Distance of neighboring taps of the filter; above 1, only with stride 1 and padding that keeps the size. Default 1. */
  readonly dilation?: number;
  /** Of the batch norm's scale. Default: ones. */
  readonly scaleInitializer?: Initializer;
}

export function createConvolutionUnit(options: ConvolutionUnitOptions): ConvolutionUnit {
  const { scope, names, inputShape, channels, kernelSize, groups = 1, dilation = 1, scaleInitializer } = options;
  // A dilated convolution runs as an ordinary one on each of the grids of pixels that are `dilation` apart.
  const geometry = { stride: options.stride, padding: options.padding / dilation };
  return {
    weight: scope
      .scope(names[0])
      .parameter('weight', [kernelSize, kernelSize, inputShape[2] / groups, channels], heNormalFanOut),
    norm: createBatchNorm(scope.scope(names[1]), channels, { scaleInitializer }),
    geometry,
    groups,
    dilation,
    inputShape,
    outputShape: convolvedShape(inputShape, channels, kernelSize, geometry),
  };
}

/** @throws LocalgradError `shape-mismatch` when the filter is larger than the padded map */
export function convolvedShape(
  inputShape: Shape3,
  channels: number,
  kernelSize: PerAxis,
  geometry: ConvolutionGeometry,
): Shape3 {
  const window = bothAxes(kernelSize);
  const filterShape = [...window, inputShape[2], channels] as const;
  const { outHeight, outWidth } = convolutionMeasures(batched(inputShape, 1), filterShape, geometry);
  if (outHeight < 1 || outWidth < 1) {
    throw new LocalgradError(
      'shape-mismatch',
      `A ${window.join('×')} window with padding ${formatAxes(geometry.padding)} does not fit in a feature map of ${formatShape(inputShape)}.`,
      { inputShape, kernelSize, ...geometry },
    );
  }
  return [outHeight, outWidth, channels];
}

/** `1`, or `0×1` for padding that differs by axis. */
function formatAxes(value: PerAxis): string {
  const [height, width] = bothAxes(value);
  return height === width ? String(height) : `${height}×${width}`;
}

export function unitParameters({ weight, norm }: ConvolutionUnit): Parameter[] {
  return [weight, norm.scale, norm.shift];
}

export function unitStatistics({ norm }: ConvolutionUnit): Parameter[] {
  return [norm.runningMean, norm.runningVariance];
}

export function unitMultiplyAccumulates({ weight, outputShape }: ConvolutionUnit): number {
  return outputShape[0] * outputShape[1] * weight.size;
}

export function unitOutputBytes(unit: ConvolutionUnit, batchSize: number): number {
  return bytesOf(unit.outputShape, batchSize);
}

/** Whether the parameter receives gradients; false if frozen. */
export function isTrained(parameter: Parameter): boolean {
  return parameter.kind === 'weight';
}

/** [batch, ...shape] */
export function batched(shape: Shape3, batchSize: number): [number, number, number, number] {
  return [batchSize, ...shape];
}
