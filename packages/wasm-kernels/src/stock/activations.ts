import type { StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call, owned, stockKernel } from './calls.js';

/** The backend's own do not broadcast, ignore tiny numbers, or add a bias of the wrong length. */
export function activationKernels(): Record<string, StockKernel> {
  return { Prelu: prelu, Sign: sign, _FusedMatMul: fusedMatMul() };
}

function prelu({ inputs }: Call): tf.Tensor {
  const [x, alpha] = [inputs.x, inputs.alpha] as [tf.TensorInfo, tf.TensorInfo];
  const shape = tf.backend_util.assertAndGetBroadcastShape(x.shape, alpha.shape);
  if (tf.util.sizeFromShape(shape) === 0) return tf.zeros(shape);
  return tf.tidy(() => {
    const input = tf.cast(borrowed(x), 'float32');
    return tf.where(tf.less(input, 0), tf.mul(tf.cast(borrowed(alpha), 'float32'), input), input);
  });
}

/** The sign of NaN is 0, as in PyTorch. */
function sign({ inputs }: Call): tf.Tensor {
  const x = borrowed(inputs.x);
  return tf.tidy(() => {
    const isOn = (side: tf.Tensor) => tf.cast(side, 'int32');
    return tf.cast(tf.sub(isOn(tf.greater(x, 0)), isOn(tf.less(x, 0))), x.dtype);
  });
}

interface MatMulAttributes {
  readonly activation: string | null;
  readonly leakyreluAlpha?: number;
}

type Activation = (x: tf.Tensor, weights: tf.Tensor, alpha: number | undefined) => tf.Tensor;

const activations: Readonly<Record<string, Activation>> = {
  linear: (x) => x,
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  elu: (x) => tf.elu(x),
  sigmoid: (x) => tf.sigmoid(x),
  prelu: (x, weights) => tf.prelu(x, weights),
  leakyrelu: (x, _, alpha) => tf.leakyRelu(x, alpha),
};

function fusedMatMul(): (call: Call) => tf.TensorInfo {
  const stock = stockKernel('_FusedMatMul');
  return (call) => {
    const { bias, preluActivationWeights, ...operands } = call.inputs;
    const { activation, leakyreluAlpha } = call.attrs as unknown as MatMulAttributes;
    const activate = activations[activation ?? 'linear'];
    if (bias == null || activate === undefined) return stock(call);
    return tf.tidy(() => {
      const product = owned(stock({ ...call, inputs: operands, attrs: { ...call.attrs, activation: 'linear' } }));
      return activate(tf.add(product, borrowed(bias)), borrowed(preluActivationWeights), leakyreluAlpha);
    });
  };
}
