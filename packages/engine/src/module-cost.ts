import { type Block, bytesOf, type Parameter, type Shape3, type Want } from '@localgrad/core';
import { vjpOfMeansOf } from '@localgrad/nn/blocks';
import { costOf, vjpPeakOf } from '@localgrad/nn/cost';

/** The cotangent that a VJP receives. */
export interface ReceivedCotangent {
  /** Shape of one sample of means over windows of the output, if the cotangent is theirs. */
  readonly means?: Shape3 | undefined;
  /** Whether its buffer remains, so that it can be neither freed nor overwritten; not of means. Default false. */
  readonly isShared?: boolean;
}

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
   * @param cotangent the cotangent, if it is not that of the output in a buffer of its own
   */
  vjpPeakBytes(want: Want, cotangent?: ReceivedCotangent): number;
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
    vjpPeakBytes: (want, { means, isShared = false } = {}) => {
      const key = [want.input, want.parameters, want.release, isShared, means ?? []].join();
      const bytes =
        vjpPeaks.get(key) ??
        (means === undefined
          ? vjpPeakOf(module, batchSize, want, isShared)
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
