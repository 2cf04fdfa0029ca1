import { type Block, bytesOf, type Cotangents, type Pass, type Shape3, type Want } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { consume } from './activations.js';
import { batched } from './convolution-unit.js';

/** The VJP of a block that starts with means over windows, up to these means: their cotangent is smaller than a map. */
export interface VjpToMeans {
  /** Shape [rows of windows, columns of windows, channels] of the means of one sample. */
  readonly shape: Shape3;
  /** As the block's own, but `input` is the cotangent of the means. */
  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents;
  /** As the block's own. */
  peakBytes(batchSize: number, want: Want): number;
}

/** The VJP of a block whose output only reaches the loss by means over windows that fill its map without gaps. */
export interface VjpOfMeans {
  /**
   * As the block's own, from the cotangent of the means.
   *
   * @param dy [batch, rows of windows, columns of windows, channels]; consumed
   */
  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents;
  /** Peak bytes beyond those already allocated when it starts. @param means shape of the means of one sample */
  peakBytes(batchSize: number, want: Want, means: Shape3): number;
}

/** A block at a boundary that only means cross. */
export interface MeansBlock extends Block {
  /** Present if the block starts with means over windows. */
  readonly toMeans?: VjpToMeans | undefined;
  /** Present if the block can read the cotangent of means without a map for it. */
  readonly ofMeans?: VjpOfMeans | undefined;
}

/** The VJP up to the means that a block starts with; undefined if it starts with something else. */
export function vjpToMeansOf(block: Block): VjpToMeans | undefined {
  return (block as MeansBlock).toMeans;
}

/** A block's VJP from the cotangent of means over windows of its output, which becomes a map if the block needs one. */
export function vjpOfMeansOf(block: Block): VjpOfMeans {
  return (block as MeansBlock).ofMeans ?? vjpOfMap(block);
}

/** The VJP from the cotangent of means by way of a map. */
export function vjpOfMap(block: Block): VjpOfMeans {
  return {
    vjp: (pass, dy, want) => block.vjp(pass, spreadMeans(dy, block.outputShape), want),
    peakBytes: (batchSize, want, means) => {
      const mapBytes = bytesOf(block.outputShape, batchSize);
      const freed = bytesOf(means, batchSize);
      return Math.max(mapBytes, mapBytes - freed + costOf(block).vjpPeakBytes(batchSize, want));
    },
  };
}

/** The cotangent of a map, from that of its means over windows that fill it. Consumes dy. @param shape of the map of one sample */
export function spreadMeans(dy: Tensor4D, shape: Shape3): Tensor4D {
  const [batch, rows, columns, channels] = dy.shape;
  const window = [shape[0] / rows, shape[1] / columns] as const;
  const padding = { top: 0, bottom: 0, left: 0, right: 0 };
  const kernels = currentKernels();
  if (rows > 1 || columns > 1) {
    return consume(dy, () =>
      kernels.averagePoolGradient(dy, batched(shape, batch), { window, stride: window, padding }),
    );
  }
  return consume(dy, () => kernels.globalAveragePoolGradient(dy.reshape([batch, channels]), batched(shape, batch)));
}
