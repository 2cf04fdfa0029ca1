import { owned, poolingReplacements, type StockKernel, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';

interface ResizeCall {
  readonly inputs: { readonly images: tf.Tensor4D; readonly dy: tf.Tensor4D };
}

/** Gradients that TensorFlow.js gets wrong on its cpu backend, and pooling, which ignores NaN there. */
export function cpuKernels(): Readonly<Record<string, StockKernel>> {
  const ofNearest = stock('ResizeNearestNeighborGrad');
  const ofBilinear = stock('ResizeBilinearGrad');
  return {
    ...poolingReplacements('cpu', stockKernels),
    // The stock kernel reads the cotangents of the first image for all.
    ResizeNearestNeighborGrad: (call: ResizeCall) =>
      tf.tidy(() => {
        const { images, dy } = call.inputs;
        const [batch] = images.shape;
        const cotangents = tf.split(dy, batch);
        const parts = tf.split(images, batch).map((image, at) => {
          const inputs = { images: image, dy: cotangents[at] } as ResizeCall['inputs'];
          return ofNearest({ ...call, inputs });
        });
        return tf.concat(parts);
      }),
    // The stock kernel swaps height and width in the shape of its result.
    ResizeBilinearGrad: (call: ResizeCall) => tf.tidy(() => tf.reshape(ofBilinear(call), call.inputs.images.shape)),
  };
}

function stock(name: string): (call: ResizeCall) => tf.Tensor4D {
  const { kernelFunc } = tf.getKernel(name, 'cpu');
  return (call) => owned(kernelFunc(call as never) as tf.TensorInfo);
}
