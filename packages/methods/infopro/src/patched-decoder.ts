import {
  type Block,
  bytesOf,
  formatShape,
  type Head,
  type HeadContext,
  LocalgradError,
  type moduleInputTarget,
  type ParameterScope,
  type Shape3,
} from '@localgrad/core';
import { parameterless } from '@localgrad/nn/blocks';
import { headCostOf } from '@localgrad/nn/cost';
import { chainedHead, combinedHead, type DecoderOptions, type HeadTerm } from '@localgrad/nn/heads';
import { requireTarget } from '@localgrad/nn/losses';
import { pad, slice, type Tensor4D } from '@tensorflow/tfjs';

export interface PatchedDecoderOptions {
  readonly widen: number;
  /** Patches per side. */
  readonly patches: number;
  readonly reduction: 'sum' | 'mean';
  readonly reconstruction: Reconstruction;
}

/** What decoders reconstruct, and how. */
export interface Reconstruction {
  readonly target: 'images' | typeof moduleInputTarget;
  readonly decoder: (context: HeadContext, scope: ParameterScope, options: DecoderOptions) => Head;
}

/** Rows and columns of a patch. */
interface Patch {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * A decoder of its own for each of n × n patches of the feature map, which reconstructs the same patch of the image, or
 * of the module's input (HPFF; docs/methods/hpff.md §3). The losses of the patches are summed or averaged.
 *
 * @throws LocalgradError `shape-mismatch` when the map has fewer than n rows or columns
 */
export function patchedDecoder(
  context: HeadContext,
  scope: ParameterScope,
  { widen, patches, reduction, reconstruction: { target, decoder: create } }: PatchedDecoderOptions,
): Head {
  const { inputShape } = context;
  const wholeShape = target === 'images' ? context.imageShape : context.moduleInputShape;
  if (Math.min(inputShape[0], inputShape[1]) < patches) {
    throw new LocalgradError(
      'shape-mismatch',
      `infopro: patches ${patches} needs feature maps of at least ${patches}×${patches}, but module ${context.module} outputs ${formatShape(inputShape)}; pass fewer patches.`,
      { patches, module: context.module, inputShape },
    );
  }
  const maps = patchesOf(inputShape, patches);
  const terms = patchesOf(wholeShape, patches).flatMap((wanted, index): HeadTerm[] => {
    const map = maps[index];
    if (map === undefined) return [];
    const name = `patch${index}`;
    const crop = cropBlock(`${name}.crop`, inputShape, map);
    const patchShape: Shape3 = [wanted.height, wanted.width, wholeShape[2]];
    const shapes = { inputShape: crop.outputShape, imageShape: patchShape, moduleInputShape: patchShape };
    const decoder = create({ ...context, ...shapes }, scope.scope(name), { widen });
    const head = chainedHead(name, crop, onPatch(decoder, target, wanted, patchShape));
    return [{ name, weight: reduction === 'sum' ? 1 : 1 / patches ** 2, head }];
  });
  return combinedHead('patched-decoder', terms);
}

/** Patches in rows, split at ⌊i · size / n⌋. */
function patchesOf([height, width]: Shape3, count: number): Patch[] {
  const rows = rangesOf(height, count);
  const columns = rangesOf(width, count);
  return rows.flatMap(([top, bottom]) =>
    columns.map(([left, right]) => ({ top, left, height: bottom - top, width: right - left })),
  );
}

function rangesOf(size: number, count: number): (readonly [start: number, end: number])[] {
  const boundary = (index: number) => Math.floor((index * size) / count);
  return Array.from({ length: count }, (_, index) => [boundary(index), boundary(index + 1)] as const);
}

function cropBlock(name: string, inputShape: Shape3, { top, left, height, width }: Patch): Block {
  const outputShape: Shape3 = [height, width, inputShape[2]];
  const bottom = inputShape[0] - top - height;
  const right = inputShape[1] - left - width;
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    apply: (x) => slice(x, [0, top, left, 0], [x.shape[0], ...outputShape]),
    pullBack: (dy) => {
      const whole: Tensor4D = pad(dy, [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]);
      dy.dispose();
      return whole;
    },
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf(inputShape, batchSize),
  });
}

/** The same head on a patch of its target. */
function onPatch(decoder: Head, target: Reconstruction['target'], { top, left }: Patch, shape: Shape3): Head {
  const { name, inputShape, parameters, statistics } = decoder;
  return {
    name,
    inputShape,
    parameters,
    statistics,
    ...(decoder.reads === undefined ? {} : { reads: decoder.reads }),
    cost: {
      get multiplyAccumulates() {
        return headCostOf(decoder).multiplyAccumulates;
      },
      evaluatePeakBytes: (batchSize) => headCostOf(decoder).evaluatePeakBytes(batchSize) + bytesOf(shape, batchSize),
    },
    evaluate: (h, targets, request) => {
      const whole = requireTarget(targets, target, `head '${name}'`);
      const patch = slice(whole, [0, top, left, 0], [whole.shape[0], ...shape]);
      const result = decoder.evaluate(h, { ...targets, [target]: patch }, request);
      patch.dispose();
      return result;
    },
  };
}
