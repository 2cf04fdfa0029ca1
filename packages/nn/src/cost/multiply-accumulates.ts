import { registerTrainingKernels, stockKernels } from '@localgrad/kernels';
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

/** Multiply-accumulates of the convolutions and matrix products that `run` executes; other operations count as 0. */
export function countMultiplyAccumulates(run: () => void): number {
  let count = 0;
  const target = engine();
  const runKernel = target.runKernel;
  target.runKernel = <T extends Tensor | Tensor[]>(...call: Parameters<typeof runKernel>): T => {
    const [name, inputs] = call;
    const outputs = runKernel.apply(target, call) as T;
    const [output]: readonly Tensor[] = Array.isArray(outputs) ? outputs : [outputs as Tensor];
    if (output !== undefined) count += counters[name]?.(inputs, output) ?? 0;
    return outputs;
  };
  // Faster kernels may bypass those of TensorFlow.js.
  const restore = registerTrainingKernels(stockKernels);
  try {
    run();
  } finally {
    target.runKernel = runKernel;
    restore();
  }
  return count;
}
