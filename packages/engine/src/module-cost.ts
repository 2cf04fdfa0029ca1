import { type Block, bytesOf, type Parameter, type Shape3, type Want } from '@localgrad/core';
import { vjpOfMeansOf } from '@localgrad/nn/blocks';
import { costOf } from '@localgrad/nn/cost';

/** Cost of a module for one batch size, in bytes, and in multiply-accumulates per sample. */
export interface ModuleCost {
  /** Bytes of the input. */
  readonly inputBytes: number;
  /** Bytes of the output. */
  readonly outputBytes: number;
  /** Bytes that a forward pass stores for the backward pass, besides the output. */
  readonly residualBytes: number;
  /** Peak bytes of a forward pass that stores residuals, beyond its input. */
  readonly forwardPeakBytes: number;
  /** Peak bytes of a forward pass that stores only its output, beyond its input. */
  readonly passingPeakBytes: number;
  /**
   * Peak bytes of a VJP beyond the pass and the cotangent.
   *
   * @param means shape of one sample of means over windows of the output, if the cotangent is theirs
   */
  vjpPeakBytes(want: Want, means?: Shape3): number;
  /** Multiply-accumulates of a forward pass per sample. */
  readonly multiplyAccumulates: number;
  /** Parameters of the module. */
  readonly parameters: readonly Parameter[];
}

/** Cost of a module. @param blocks the blocks of `module`, which runs them in sequence */
export function moduleCostOf(module: Block, blocks: readonly Block[], batchSize: number): ModuleCost {
  const cost = costOf(module);
  const vjpPeaks = new Map<string, number>();
  let work: number | undefined;
  return {
    inputBytes: bytesOf(module.inputShape, batchSize),
    outputBytes: bytesOf(module.outputShape, batchSize),
    residualBytes: cost.residualBytes(batchSize),
    forwardPeakBytes: cost.forwardPeakBytes(batchSize),
    passingPeakBytes: passingPeak(blocks, batchSize),
    vjpPeakBytes: (want, means) => {
      const key = [want.input, want.parameters, want.release, means ?? []].join();
      const bytes =
        vjpPeaks.get(key) ??
        (means === undefined
          ? cost.vjpPeakBytes(batchSize, want)
          : vjpOfMeansOf(module).peakBytes(batchSize, want, means));
      vjpPeaks.set(key, bytes);
      return bytes;
    },
    get multiplyAccumulates() {
      work ??= cost.multiplyAccumulates;
      return work;
    },
    parameters: module.parameters,
  };
}

/** Peak of a forward pass without residuals: each block's input is freed once its output exists. */
function passingPeak(blocks: readonly Block[], batchSize: number): number {
  return Math.max(
    0,
    ...blocks.map((block, index) => {
      const owned = index === 0 ? 0 : bytesOf(block.inputShape, batchSize);
      return owned + costOf(block).forwardPeakBytes(batchSize);
    }),
  );
}
