import { at, type Block, type BlockCost, bytesOf, type Shape3, type Want } from '@localgrad/core';
import { costOf } from '../cost/cost-of.js';
import { vjpPeakOf, vjpPeaks } from '../cost/vjp-peaks.js';
import { isTrained } from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { isViewOf } from './vjp-reads.js';
import type { VjpOfMeans, VjpToMeans } from './window-means.js';

/** Blocks that run in sequence. */
export interface SequenceStructure {
  readonly blocks: readonly Block[];
  /** By block index: whether the block's output is needed after the next block has run. */
  readonly kept: readonly boolean[];
}

/** How a VJP differs from that of the blocks themselves. */
export interface SequenceEnds {
  readonly to?: VjpToMeans;
  readonly of?: VjpOfMeans;
  /** Shape of the means of one sample, for `of`. */
  readonly means?: Shape3;
  /** Whether the cotangent's buffer is shared with a tensor that remains. */
  readonly isShared?: boolean;
}

/** The cost of a sequence, by replaying its forward pass and VJP on a ledger. */
export function sequenceCost(structure: SequenceStructure): BlockCost {
  const { blocks } = structure;
  return {
    get multiplyAccumulates() {
      return blocks.reduce((sum, block) => sum + costOf(block).multiplyAccumulates, 0);
    },
    residualBytes: (batchSize) =>
      blocks.reduce((sum, block) => sum + costOf(block).residualBytes(batchSize), 0) +
      new StoredOutputs(structure, batchSize).bytes,
    forwardPeakBytes: (batchSize) => forwardPeakBytes(structure, batchSize),
    ...vjpPeaks((batchSize, want, isShared) => sequenceVjpPeak(structure, batchSize, want, { isShared })),
  };
}

function forwardPeakBytes({ blocks, kept }: SequenceStructure, batchSize: number): number {
  const ledger = new Ledger();
  // Bytes of the last output that are freed with it: those of views are, too, if what they show is not kept.
  let owned = 0;
  blocks.forEach((block, index) => {
    ledger.touch(costOf(block).forwardPeakBytes(batchSize));
    ledger.take(costOf(block).residualBytes(batchSize));
    const before = kept[index - 1] === true ? 0 : owned;
    if (isViewOf(block)) {
      owned = before;
      return;
    }
    owned = bytesOf(block.outputShape, batchSize);
    ledger.take(owned);
    ledger.give(before);
  });
  return ledger.peak;
}

/** @param ends how the VJP differs from that of the blocks */
export function sequenceVjpPeak(
  structure: SequenceStructure,
  batchSize: number,
  want: Want,
  { to, of, means, isShared = false }: SequenceEnds,
): number {
  const { blocks } = structure;
  const ledger = new Ledger();
  const outputs = new StoredOutputs(structure, batchSize);
  const lowest = lowestNeeded(blocks, want);
  const last = blocks.length - 1;
  let shared = isShared;
  for (let index = last; index >= 0; index--) {
    const block = at(blocks, index, 'block');
    const isMeans = index === last && of !== undefined && means !== undefined;
    if (index >= lowest) {
      const inner = { ...want, input: index > lowest || want.input };
      if (isMeans) ledger.touch(of.peakBytes(batchSize, inner, means));
      else if (index === 0 && to !== undefined) ledger.touch(to.peakBytes(batchSize, inner));
      else ledger.touch(vjpPeakOf(block, batchSize, inner, shared));
      // The residuals are freed on the way; dy becomes dx.
      if (want.release) ledger.give(costOf(block).residualBytes(batchSize));
      const staysShared = shared && isViewOf(block);
      if (!shared) ledger.give(bytesOf(isMeans ? means : block.outputShape, batchSize));
      if (inner.input && !staysShared) {
        ledger.take(bytesOf(index === 0 && to !== undefined ? to.shape : block.inputShape, batchSize));
      }
      shared = staysShared;
      if (want.parameters) ledger.take(gradientBytes(block));
    } else if (want.release) {
      ledger.give(costOf(block).residualBytes(batchSize));
    }
    if (want.release) ledger.give(outputs.free(index));
  }
  return ledger.peak;
}

/** The intermediate outputs that are stored after the forward pass. A view has the buffer of the output that it shows. */
class StoredOutputs {
  /** Bytes of all of them, without those that the caller counts: of the input and of the last output. */
  readonly bytes: number;
  readonly #structure: SequenceStructure;
  readonly #batchSize: number;
  /** By block index: the block that created the buffer of the output; −1: it is that of the input. */
  readonly #origins: readonly number[];
  /** Stored outputs by the block that created their buffer. */
  readonly #handles = new Map<number, number>();

  constructor(structure: SequenceStructure, batchSize: number) {
    this.#structure = structure;
    this.#batchSize = batchSize;
    const { blocks } = structure;
    const origins: number[] = [];
    blocks.forEach((block, index) => {
      origins.push(isViewOf(block) ? (origins[index - 1] ?? -1) : index);
    });
    this.#origins = origins;
    blocks.forEach((_, index) => {
      const origin = this.#originOf(index);
      if (origin !== undefined) this.#handles.set(origin, (this.#handles.get(origin) ?? 0) + 1);
    });
    this.bytes = [...this.#handles.keys()].reduce((sum, origin) => sum + this.#bytesAt(origin), 0);
  }

  /** Bytes that are freed with the output of a block. */
  free(index: number): number {
    const origin = this.#originOf(index);
    if (origin === undefined) return 0;
    const handles = (this.#handles.get(origin) ?? 0) - 1;
    this.#handles.set(origin, handles);
    return handles === 0 ? this.#bytesAt(origin) : 0;
  }

  /** Undefined for an output that is not stored, or whose buffer the caller counts. */
  #originOf(index: number): number | undefined {
    const origin = at(this.#origins, index, 'block');
    const last = this.#origins.length - 1;
    if (index === last || this.#structure.kept[index] !== true) return undefined;
    return origin < 0 || origin === this.#origins[last] ? undefined : origin;
  }

  #bytesAt(origin: number): number {
    return bytesOf(at(this.#structure.blocks, origin, 'block').outputShape, this.#batchSize);
  }
}

/** The first block that the backward pass has to reach. */
export function lowestNeeded(blocks: readonly Block[], want: Want): number {
  if (want.input) return 0;
  if (!want.parameters) return blocks.length;
  const index = blocks.findIndex((block) => block.parameters.some(isTrained));
  return index < 0 ? blocks.length : index;
}

/** Bytes of the gradients of a block's weights. */
export function gradientBytes(block: Pick<Block, 'parameters'>): number {
  return block.parameters.reduce((sum, parameter) => sum + (isTrained(parameter) ? 4 * parameter.size : 0), 0);
}
