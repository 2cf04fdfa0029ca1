import * as tf from '@tensorflow/tfjs';

type Conv2DInfo = tf.backend_util.Conv2DInfo;

/**
 * dW as a convolution: of x with its batch and channels swapped, by dy with batch as channels, dilated by the stride.
 * x is padded or cropped first, so that the output has exactly the size of the filter.
 */
export function composedFilterGradient(
  x: tf.Tensor4D,
  dy: tf.Tensor4D,
  [kernelHeight, kernelWidth]: readonly [number, number, number, number],
  info: Conv2DInfo,
): tf.Tensor4D {
  return tf.tidy(() => {
    const height = (info.outHeight - 1) * info.strideHeight + kernelHeight;
    const width = (info.outWidth - 1) * info.strideWidth + kernelWidth;
    const framed = frame(x, info.padInfo.top, info.padInfo.left, height, width);
    const swapped = tf.transpose(framed, [3, 1, 2, 0]);
    const filter = tf.transpose(dy, [1, 2, 0, 3]);
    const result = tf.conv2d(swapped, filter, 1, 'valid', 'NHWC', [info.strideHeight, info.strideWidth]);
    return tf.transpose(result, [1, 2, 0, 3]);
  }) as tf.Tensor4D;
}

/** dx as a convolution of dy, with zeros between its entries for strides above 1, with the rotated filter. */
export function composedInputGradient(
  dy: tf.Tensor4D,
  filter: tf.Tensor4D,
  [, inHeight, inWidth]: readonly [number, number, number, number],
  info: Conv2DInfo,
): tf.Tensor4D {
  return tf.tidy(() => {
    const [kernelHeight, kernelWidth] = filter.shape;
    const spread = insertZeros(dy, info.strideHeight, info.strideWidth);
    const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2]);
    const framed = frame(
      spread,
      kernelHeight - 1 - info.padInfo.top,
      kernelWidth - 1 - info.padInfo.left,
      inHeight + kernelHeight - 1,
      inWidth + kernelWidth - 1,
    );
    return tf.conv2d(framed, turned as tf.Tensor4D, 1, 'valid');
  }) as tf.Tensor4D;
}

/** The window of the given size that starts `top` rows above and `left` columns left of x; zero outside of x. */
function frame(x: tf.Tensor4D, top: number, left: number, height: number, width: number): tf.Tensor4D {
  const [batch, , , channels] = x.shape;
  const cropped = tf.slice(
    x,
    [0, Math.max(0, -top), Math.max(0, -left), 0],
    [
      batch,
      Math.min(x.shape[1] - Math.max(0, -top), height - Math.max(0, top)),
      Math.min(x.shape[2] - Math.max(0, -left), width - Math.max(0, left)),
      channels,
    ],
  );
  const above = Math.max(0, top);
  const before = Math.max(0, left);
  return tf.pad(cropped, [
    [0, 0],
    [above, height - above - cropped.shape[1]],
    [before, width - before - cropped.shape[2]],
    [0, 0],
  ]);
}

function insertZeros(dy: tf.Tensor4D, strideHeight: number, strideWidth: number): tf.Tensor4D {
  if (strideHeight === 1 && strideWidth === 1) return dy;
  const [batch, height, width, channels] = dy.shape;
  const columns = tf.pad(tf.reshape(dy, [batch, height, 1, width, 1, channels]) as tf.Tensor, [
    [0, 0],
    [0, 0],
    [0, strideHeight - 1],
    [0, 0],
    [0, strideWidth - 1],
    [0, 0],
  ]);
  return tf.reshape(columns, [batch, height * strideHeight, width * strideWidth, channels]);
}
