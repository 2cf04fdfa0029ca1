import {
  at,
  type Block,
  type BlockCost,
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
import { addGradients, parametersOf, statisticsOf } from './add-gradients.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { lowestNeeded, type SequenceEnds, sequenceCost, sequenceVjpPeak } from './sequence-cost.js';
import { type FrugalBlock, isViewOf, type VjpReads, vjpReadsOf } from './vjp-reads.js';
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
  readonly isView: boolean;
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
    this.parameters = parametersOf(blocks);
    this.statistics = statisticsOf(blocks);
    this.#kept = keptOutputs(blocks);
    this.isView = blocks.every(isViewOf);
    const structure = { blocks, kept: this.#kept };
    this.cost = sequenceCost(structure);
    const vjpPeak = (batchSize: number, want: Want, ends: SequenceEnds) =>
      sequenceVjpPeak(structure, batchSize, want, ends);
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
        const wanted = { input: index > lowest || want.input, parameters: want.parameters, release: want.release };
        const own = (index === 0 ? ends.first : undefined) ?? (index === passes.length - 1 ? ends.last : undefined);
        const result: Cotangents = (own ?? block).vjp(inner, cotangent, wanted);
        addGradients(gradients, result.parameters);
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

function keptOutputs(blocks: readonly Block[]): boolean[] {
  return blocks.map((block, index) => {
    const next = blocks[index + 1];
    return next === undefined || vjpReadsOf(block).output || vjpReadsOf(next).input;
  });
}
