import {
  at,
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  formatShape,
  LocalgradError,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  type Shape3,
  sameShape,
  type Want,
} from '@localgrad/core';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { costOf } from '../cost/cost-of.js';
import { isTrained } from './convolution-unit.js';
import { Ledger } from './ledger.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { type FrugalBlock, type VjpReads, vjpReadsOf } from './vjp-reads.js';
import { type MeansBlock, type VjpOfMeans, type VjpToMeans, vjpOfMeansOf, vjpToMeansOf } from './window-means.js';

/**
 * A sequence of blocks as one block. An intermediate output is stored until the backward pass no longer needs it, or
 * freed in the forward pass if neither adjacent VJP reads it.
 *
 * @param replicate builds a copy with the original's parameter names below the new scope; by default each member's
 *   names are prefixed with its index, because the scopes of the members are not known
 * @throws LocalgradError `shape-mismatch` when adjacent shapes differ, `invalid-option` for an empty list
 */
export function sequential(
  name: string,
  blocks: readonly Block[],
  replicate?: (scope: ParameterScope) => Block,
): Block {
  return new Sequential(name, blocks, replicate);
}

class Sequential implements FrugalBlock, MeansBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly toMeans: VjpToMeans | undefined;
  readonly ofMeans: VjpOfMeans;
  /** By block index: whether the block's output is needed after the next block has run. */
  readonly #kept: readonly boolean[];
  readonly #blocks: readonly Block[];
  readonly #replicate: ((scope: ParameterScope) => Block) | undefined;

  constructor(name: string, blocks: readonly Block[], replicate?: (scope: ParameterScope) => Block) {
    const [first] = blocks;
    const last = blocks[blocks.length - 1];
    if (first === undefined || last === undefined) {
      throw new LocalgradError('invalid-option', `sequential '${name}': no blocks; at least one is required.`, {
        name,
      });
    }
    blocks.slice(1).forEach((block, index) => {
      const before = at(blocks, index, 'block');
      if (!sameShape(before.outputShape, block.inputShape)) {
        throw new LocalgradError(
          'shape-mismatch',
          `sequential '${name}': '${before.name}' outputs ${formatShape(before.outputShape)}, but '${block.name}' expects ${formatShape(block.inputShape)}.`,
          { name, given: before.outputShape, taken: block.inputShape },
        );
      }
    });
    this.name = name;
    this.#blocks = blocks;
    this.#replicate = replicate;
    this.inputShape = first.inputShape;
    this.outputShape = last.outputShape;
    this.parameters = blocks.flatMap((block) => block.parameters);
    this.statistics = blocks.flatMap((block) => block.statistics);
    this.#kept = keptOutputs(blocks);
    this.cost = sequentialCost(blocks, this.#kept);
    const vjpPeak = (batchSize: number, want: Want, ends: Ends) =>
      vjpPeakBytes(blocks, this.#kept, batchSize, want, ends);
    const to = vjpToMeansOf(first);
    this.toMeans = to && {
      shape: to.shape,
      vjp: (pass, dy, want) => this.#pullBack(pass, dy, want, { first: to }),
      peakBytes: (batchSize, want) => vjpPeak(batchSize, want, { to }),
    };
    const of = vjpOfMeansOf(last);
    this.ofMeans = {
      vjp: (pass, dy, want) => this.#pullBack(pass, dy, want, { last: of }),
      peakBytes: (batchSize, want, means) => vjpPeak(batchSize, want, { of, means }),
    };
    this.vjpReads = { input: vjpReadsOf(first).input, output: vjpReadsOf(last).output };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const passes: Pass[] = [];
    let output = x;
    for (const [index, block] of this.#blocks.entries()) {
      const pass = block.forward(output, mode);
      if (index > 0 && !(mode.training && this.#kept[index - 1])) output.dispose();
      passes.push(pass);
      output = pass.output;
    }
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<readonly Pass[]>(this, x, output, passes, (kept) => {
      for (const pass of kept) pass.release();
      for (const pass of kept.slice(0, -1)) pass.output.dispose();
    });
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    return this.#pullBack(pass, dy, want, {});
  }

  /** @param ends the first and last block's VJPs, if they are not the blocks' own */
  #pullBack(
    pass: Pass,
    dy: Tensor4D,
    want: Want,
    ends: { readonly first?: Pick<Block, 'vjp'>; readonly last?: Pick<Block, 'vjp'> },
  ): Cotangents {
    const passes = TrainingPass.open<readonly Pass[]>(this, pass, want.release);
    const gradients = new Map<Parameter, Tensor>();
    const lowest = lowestNeeded(this.#blocks, want);
    let cotangent: Tensor4D | undefined = dy;
    for (let index = passes.length - 1; index >= 0; index--) {
      const block = at(this.#blocks, index, 'block');
      const inner = at(passes, index, 'pass');
      if (index >= lowest && cotangent !== undefined) {
        const inputWanted = index > lowest || want.input;
        const own = (index === 0 ? ends.first : undefined) ?? (index === passes.length - 1 ? ends.last : undefined);
        const result: Cotangents = (own ?? block).vjp(inner, cotangent, { ...want, input: inputWanted });
        for (const [parameter, gradient] of result.parameters) gradients.set(parameter, gradient);
        cotangent = result.input;
      } else {
        cotangent?.dispose();
        cotangent = undefined;
        if (want.release) inner.release();
      }
      if (want.release && index < passes.length - 1) inner.output.dispose();
    }
    return cotangent === undefined ? { parameters: gradients } : { input: cotangent, parameters: gradients };
  }

  replicate(scope: ParameterScope): Block {
    if (this.#replicate !== undefined) return this.#replicate(scope);
    // Each copy gets its own scope, because the prefixes of the original blocks are not known here.
    const copies = this.#blocks.map((block, index) => block.replicate(scope.scope(String(index))));
    return new Sequential(this.name, copies);
  }
}

/** The first block that the backward pass has to reach. */
function lowestNeeded(blocks: readonly Block[], want: Want): number {
  if (want.input) return 0;
  if (!want.parameters) return blocks.length;
  const index = blocks.findIndex((block) => block.parameters.some(isTrained));
  return index < 0 ? blocks.length : index;
}

function keptOutputs(blocks: readonly Block[]): boolean[] {
  return blocks.map((block, index) => {
    const next = blocks[index + 1];
    return next === undefined || vjpReadsOf(block).output || vjpReadsOf(next).input;
  });
}

function sequentialCost(blocks: readonly Block[], kept: readonly boolean[]): BlockCost {
  const outputBytes = (block: Block, batchSize: number) => bytesOf(block.outputShape, batchSize);
  return {
    get multiplyAccumulates() {
      return blocks.reduce((sum, block) => sum + costOf(block).multiplyAccumulates, 0);
    },
    residualBytes: (batchSize) =>
      blocks.reduce(
        (sum, block, index) => sum + costOf(block).residualBytes(batchSize) + keptBytes(blocks, kept, index, batchSize),
        0,
      ),
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      blocks.forEach((block, index) => {
        ledger.touch(costOf(block).forwardPeakBytes(batchSize));
        ledger.take(costOf(block).residualBytes(batchSize) + outputBytes(block, batchSize));
        const before = blocks[index - 1];
        if (before !== undefined && !kept[index - 1]) ledger.give(outputBytes(before, batchSize));
      });
      return ledger.peak;
    },
    vjpPeakBytes: (batchSize, want) => vjpPeakBytes(blocks, kept, batchSize, want, {}),
  };
}

/** The ends of a VJP that are not the blocks' own. */
interface Ends {
  readonly to?: VjpToMeans;
  readonly of?: VjpOfMeans;
  /** Shape of the means of one sample, for `of`. */
  readonly means?: Shape3;
}

function vjpPeakBytes(
  blocks: readonly Block[],
  kept: readonly boolean[],
  batchSize: number,
  want: Want,
  { to, of, means }: Ends,
): number {
  const ledger = new Ledger();
  const lowest = lowestNeeded(blocks, want);
  const last = blocks.length - 1;
  for (let index = last; index >= 0; index--) {
    const block = at(blocks, index, 'block');
    const isMeans = index === last && of !== undefined && means !== undefined;
    if (index >= lowest) {
      const inner = { ...want, input: index > lowest || want.input };
      if (isMeans) ledger.touch(of.peakBytes(batchSize, inner, means));
      else if (index === 0 && to !== undefined) ledger.touch(to.peakBytes(batchSize, inner));
      else ledger.touch(costOf(block).vjpPeakBytes(batchSize, inner));
      // The residuals are freed on the way; dy becomes dx.
      if (want.release) ledger.give(costOf(block).residualBytes(batchSize));
      ledger.give(bytesOf(isMeans ? means : block.outputShape, batchSize));
      if (inner.input) ledger.take(bytesOf(index === 0 && to !== undefined ? to.shape : block.inputShape, batchSize));
      if (want.parameters) ledger.take(gradientBytes(block));
    } else if (want.release) {
      ledger.give(costOf(block).residualBytes(batchSize));
    }
    if (want.release) ledger.give(keptBytes(blocks, kept, index, batchSize));
  }
  return ledger.peak;
}

/** Bytes of an intermediate output that is stored after the forward pass; 0 for one that is not. */
function keptBytes(blocks: readonly Block[], kept: readonly boolean[], index: number, batchSize: number): number {
  const isStored = index >= 0 && index < blocks.length - 1 && kept[index];
  return isStored ? bytesOf(at(blocks, index, 'block').outputShape, batchSize) : 0;
}

/** Bytes of the gradients of a block's weights. */
export function gradientBytes(block: Pick<Block, 'parameters'>): number {
  return block.parameters.reduce((sum, parameter) => sum + (isTrained(parameter) ? 4 * parameter.size : 0), 0);
}
