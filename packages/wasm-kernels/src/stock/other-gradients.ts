import * as tf from '@tensorflow/tfjs';

function values(info: tf.TensorInfo | undefined): Float32Array {
  return tf.backend().readSync((info as tf.TensorInfo).dataId) as Float32Array;
}

/** The gradient of gather: adds up rows of x by segment; drops negative segments. */
export function unsortedSegmentSum(call: {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: { readonly numSegments: number };
}): tf.Tensor {
  const x = call.inputs.x as tf.TensorInfo;
  const segments = values(call.inputs.segmentIds);
  const { numSegments } = call.attrs;
  const shape = [numSegments, ...x.shape.slice(call.inputs.segmentIds?.shape.length ?? 1)];
  if (segments.length === 0) return tf.zeros(shape, x.dtype as tf.NumericDataType);
  const inner = tf.util.sizeFromShape(x.shape) / segments.length;
  const source = values(x);
  const result = new Float32Array(numSegments * inner);
  segments.forEach((segment, row) => {
    if (segment < 0) return;
    for (let index = 0; index < inner; index++) {
      const at = segment * inner + index;
      result[at] = (result[at] as number) + (source[row * inner + index] as number);
    }
  });
  return tf.tensor(result, shape, x.dtype);
}
