import { currentKernels, registerTrainingKernels } from '@localgrad/kernels';
import { engine, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs';

/** Computes the multiply-accumulates of a TensorFlow.js kernel call from the shapes of its inputs and output. */
type Counter = (inputs: NamedTensorMap, output: Tensor) => number;

const convolution: Counter = ({ filter }, output) => {
  const [height = 1, width = 1, channels = 1] = filter?.shape ?? [];
  return output.size * height * width * channels;
};
const depthwise: Counter = ({ filter }, output) => {
  const [height = 1, width = 1] = filter?.shape ?? [];
  return output.size * height * width;
};
const transposedConvolution: Counter = ({ dy, filter }) => {
  const [height = 1, width = 1, channels = 1] = filter?.shape ?? [];
  return (dy?.size ?? 0) * height * width * channels;
};
const matrixProduct: Counter = ({ a }, output) => {
  const [first = 1, second = 1] = a?.shape.slice(-2) ?? [];
  const rows = output.shape.at(-2) ?? 1;
  return rows === 0 ? 0 : (output.size * first * second) / rows;
};

const counters: Readonly<Record<string, Counter>> = {
  Conv2D: convolution,
  FusedConv2D: convolution,
  Conv2DBackpropInput: transposedConvolution,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: depthwise,
  BatchMatMul: matrixProduct,
  _FusedMatMul: matrixProduct,
};

/** The same for calls of training kernels, which may bypass those of TensorFlow.js. */
const kernelCounters: Readonly<Record<string, (output: Tensor, first: Tensor, second: Tensor) => number>> = {
  conv2d: (output, x, filter) => convolution({ x, filter }, output),
  conv2dInputGradient: (output, dy, filter) => transposedConvolution({ dy, filter }, output),
  groupedConv2d: (output, x, filter) => convolution({ x, filter }, output),
  groupedConv2dInputGradient: (output, dy, filter) => transposedConvolution({ dy, filter }, output),
  depthwiseConv2d: (output, x, filter) => depthwise({ x, filter }, output),
  matMul: (output, a) => matrixProduct({ a }, output),
  // Queries with keys, and attention weights with values.
  attention: (output) => 2 * output.size * (output.shape[2] ?? 1),
};

/** Multiply-accumulates of the convolutions and matrix products that `run` executes; other operations count as 0. */
export function countMultiplyAccumulates(run: () => void): number {
  let count = 0;
  /** A training kernel is at work, and counts for the operations that it is made of. */
  let isInside = false;
  const target = engine();
  const runKernel = target.runKernel;
  target.runKernel = <T extends Tensor | Tensor[]>(...call: Parameters<typeof runKernel>): T => {
    const [name, inputs] = call;
    const outputs = runKernel.apply(target, call) as T;
    const [output]: readonly Tensor[] = Array.isArray(outputs) ? outputs : [outputs as Tensor];
    if (output !== undefined && !isInside) count += counters[name]?.(inputs, output) ?? 0;
    return outputs;
  };
  const restore = registerTrainingKernels(
    new Proxy(currentKernels(), {
      get(kernels, key) {
        const value: unknown = Reflect.get(kernels, key);
        const counter = typeof key === 'string' ? kernelCounters[key] : undefined;
        if (typeof value !== 'function') return value;
        if (counter === undefined) return value.bind(kernels);
        return (first: Tensor, second: Tensor, ...rest: readonly unknown[]): Tensor => {
          isInside = true;
          try {
            const output: Tensor = value.call(kernels, first, second, ...rest);
            count += counter(output, first, second);
            return output;
          } finally {
            isInside = false;
          }
        };
      },
    }),
  );
  try {
    run();
  } finally {
    target.runKernel = runKernel;
    restore();
  }
  return count;
}
