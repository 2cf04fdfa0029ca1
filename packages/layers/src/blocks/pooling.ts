import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { currentKernels, type PoolingGeometry } from '@localgrad/kernels';
import { globalAveragePool, parameterless } from '@localgrad/nn/blocks';
import type { LayerContext } from './layer-context.js';
import { noPadding, samePadding } from './padding.js';
import { reshaping } from './shapes.js';

/** MaxPooling2D and AveragePooling2D, of which padding is no part of the mean. */
export function poolingBlocks(kind: 'max' | 'average'): (context: LayerContext) => Block[] {
  return (context) => {
    const { name, config, inputShape, outputShape } = context;
    context.requireChannelsLast();
    const window = config.pair('poolSize');
    const stride = config.has('strides') ? config.pair('strides') : window;
    const padding = config.text('padding', 'valid') === 'same' ? samePadding(inputShape, window, stride) : noPadding;
    return [pooling(kind, name, inputShape, outputShape, { window, stride, padding })];
  };
}

/** GlobalAveragePooling2D and GlobalMaxPooling2D. */
export function globalPoolingBlocks(kind: 'max' | 'average'): (context: LayerContext) => Block[] {
  return (context) => {
    const { name, inputShape, outputShape } = context;
    context.requireChannelsLast();
    if (kind === 'average') return [globalAveragePool(name, inputShape)];
    const [height, width, channels] = inputShape;
    const geometry: PoolingGeometry = { window: [height, width], stride: [1, 1], padding: noPadding };
    const pooled = pooling('max', name, inputShape, [1, 1, channels], geometry);
    return [pooled, ...reshaping(name, pooled.outputShape, outputShape)];
  };
}

function pooling(
  kind: 'max' | 'average',
  name: string,
  inputShape: Shape3,
  outputShape: Shape3,
  geometry: PoolingGeometry,
): Block {
  const isMax = kind === 'max';
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: isMax, output: false },
    holdsCotangent: true,
    apply: (x) => (isMax ? currentKernels().maxPool(x, geometry) : currentKernels().averagePool(x, geometry)),
    pullBack: (dy, x) => {
      const dx = isMax
        ? currentKernels().maxPoolGradient(dy, x, geometry)
        : currentKernels().averagePoolGradient(dy, [dy.shape[0], ...inputShape], geometry);
      dy.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}
