import { owned, type StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call, type Stock, stockKernel } from './calls.js';

/**
 * The backend's own do not broadcast, ignore tiny numbers, add a bias of the wrong length, or return uninitialized memory.
 *
 * @param product the kernel of `tf.matMul`
 */
export function activationKernels(product: Stock): Record<string, StockKernel> {
  return { Prelu: prelu, Sign: sign, _FusedMatMul: fusedMatMul(product) };
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

/**
 * The output of a fused operation: x plus the bias, activated. The backend's own turn NaN into a bound of relu and relu6.
 *
 * @param call of the fused operation; its activation is known @param bias default: none, or x has it already
 */
export function withBiasAndActivation(
  { inputs, attrs }: Call,
  x: tf.Tensor,
  bias: tf.TensorInfo | null | undefined,
): tf.Tensor {
  const { activation, leakyreluAlpha } = attrs as Readonly<{ activation?: string | null; leakyreluAlpha?: number }>;
  const activate = activations[activation ?? 'linear'] as Activation;
  const biased = bias == null ? x : tf.add(x, borrowed(bias));
  return activate(biased, borrowed(inputs.preluActivationWeights), leakyreluAlpha);
}

function fusedMatMul(product: Stock): (call: Call) => tf.TensorInfo {
  const stock = stockKernel('_FusedMatMul');
  return (call) => {
    if (!isKnownActivation(call)) return stock(call);
    const { a, b } = call.inputs as Readonly<Record<'a' | 'b', tf.TensorInfo>>;
    return tf.tidy(() => withBiasAndActivation(call, owned(product({ ...call, inputs: { a, b } })), call.inputs.bias));
  };
}

/** The backend's own reject others. */
export function isKnownActivation({ attrs }: Call): boolean {
  return ((attrs.activation ?? 'linear') as string) in activations;
}
