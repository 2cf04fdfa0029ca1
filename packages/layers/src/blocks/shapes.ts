import { type Block, type Shape3, sameShape } from '@localgrad/core';
import { parameterless } from '@localgrad/nn/blocks';
import { type Rank, reshape } from '@tensorflow/tfjs';
import type { LayerContext } from './layer-context.js';
import { zeroPadding } from './padding.js';

/** Flatten, Reshape: other axes for the same values in the same order. */
export function reshapeBlocks(context: LayerContext): Block[] {
  context.requireChannelsLast();
  const { name, inputShape, outputShape } = context;
  return reshaping(name, inputShape, outputShape);
}

/** Another shape for the same values; nothing if the shapes are equal. */
export function reshaping(name: string, inputShape: Shape3, outputShape: Shape3): Block[] {
  if (sameShape(inputShape, outputShape)) return [];
  const block = parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    isView: true,
    holdsCotangent: true,
    apply: (x) => reshape<Rank.R4>(x, [x.shape[0], ...outputShape]),
    pullBack: (dy) => {
      const dx = reshape<Rank.R4>(dy, [dy.shape[0], ...inputShape]);
      dy.dispose();
      return dx;
    },
    applyPeakBytes: () => 0,
    pullBackPeakBytes: () => 0,
  });
  return [block];
}

/** ZeroPadding2D */
export function zeroPaddingBlocks(context: LayerContext): Block[] {
  context.requireChannelsLast();
  const [[top, bottom], [left, right]] = context.config.sides('padding');
  return [zeroPadding(context.name, context.inputShape, { top, bottom, left, right })];
}

/** The input itself. */
export function identity(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: shape,
    reads: { input: false, output: false },
    isView: true,
    holdsCotangent: true,
    apply: (x) => x.clone(),
    pullBack: (dy) => dy,
    applyPeakBytes: () => 0,
    pullBackPeakBytes: () => 0,
  });
}
