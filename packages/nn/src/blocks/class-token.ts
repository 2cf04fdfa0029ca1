import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Initializer,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  type Shape3,
  type Want,
} from '@localgrad/core';
import {
  add,
  broadcastTo,
  concat,
  reshape,
  slice,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  zeros,
} from '@tensorflow/tfjs';
import { vjpPeaksOfReader } from '../cost/vjp-peaks.js';
import { truncatedNormal } from '../random/initializers.js';
import { isTrained } from './convolution-unit.js';
import { columnSums } from './dense.js';
import { Ledger } from './ledger.js';
import { parameterless } from './parameterless.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock } from './vjp-reads.js';

/** Options of `classToken`. */
export interface ClassTokenOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Scope in which the parameters are created. */
  readonly scope: ParameterScope;
  /** Patch embeddings: height × width × c. */
  readonly inputShape: Shape3;
  /** Of class token and position embeddings. Default: truncated normal with standard deviation 0.02. */
  readonly initializer?: Initializer;
}

/**
 * The token sequence of a vision transformer: a learned class token, followed by the patches in row-major order, plus
 * learned position embeddings. [h, w, c] → [1, 1 + h·w, c]; parameters `cls_token` [1, 1, c] and `pos_embed` [1, 1 + h·w,
 * c].
 */
export function classToken(options: ClassTokenOptions): Block {
  rejectUnknownKeys('classToken', options, ['name', 'scope', 'inputShape', 'initializer']);
  return new ClassToken(options);
}

class ClassToken implements FrugalBlock {
  readonly vjpReads = { input: false, output: false };
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly #options: ClassTokenOptions;
  readonly #token: Parameter;
  readonly #positions: Parameter;

  constructor(options: ClassTokenOptions) {
    const { name, scope, inputShape, initializer = truncatedNormal(0.02) } = options;
    const [height, width, channels] = inputShape;
    const tokens = 1 + height * width;
    this.name = name;
    this.#options = options;
    this.inputShape = inputShape;
    this.outputShape = [1, tokens, channels];
    this.#token = scope.parameter('cls_token', [1, 1, channels], initializer);
    this.#positions = scope.parameter('pos_embed', [1, tokens, channels], initializer);
    this.parameters = [this.#token, this.#positions];
    const tokenBytes = (batchSize: number) => 4 * batchSize * channels;
    this.cost = {
      multiplyAccumulates: 0,
      residualBytes: () => 0,
      forwardPeakBytes: (batchSize) => tokenBytes(batchSize) + 2 * bytesOf(this.outputShape, batchSize),
      ...vjpPeaksOfReader((batchSize, want) => {
        const ledger = new Ledger();
        if (want.parameters && this.parameters.some(isTrained)) {
          const size = bytesOf(this.outputShape, 1);
          ledger.take(size + 4 * batchSize);
          ledger.give(4 * batchSize);
          if (isTrained(this.#token)) ledger.take(tokenBytes(1));
          if (!isTrained(this.#positions)) ledger.give(size);
        }
        if (want.input) ledger.take(bytesOf(inputShape, batchSize));
        return ledger.peak;
      }),
    };
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const [batch, , , channels] = x.shape;
    const [, tokens] = this.outputShape;
    const one: Tensor4D = reshape(this.#token.value, [1, 1, 1, channels]);
    const first: Tensor4D = broadcastTo(one, [batch, 1, 1, channels]);
    const patches: Tensor4D = reshape(x, [batch, 1, tokens - 1, channels]);
    const sequence = concat([first, patches], 2);
    const positions: Tensor4D = reshape(this.#positions.value, [1, 1, tokens, channels]);
    const output = add<Tensor4D>(sequence, positions);
    for (const tensor of [one, first, patches, sequence, positions]) tensor.dispose();
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    const parameters = want.parameters ? this.#gradients(dy) : new Map<Parameter, Tensor>();
    let input: Tensor4D | undefined;
    if (want.input) {
      const [batch, , tokens, channels] = dy.shape;
      const patches: Tensor4D = slice(dy, [0, 0, 1, 0], [batch, 1, tokens - 1, channels]);
      input = reshape(patches, [batch, ...this.inputShape]);
      patches.dispose();
    }
    dy.dispose();
    return input === undefined ? { parameters } : { input, parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new ClassToken({ ...this.#options, scope });
  }

  /** Sums over the batch. Borrows dy. */
  #gradients(dy: Tensor4D): Map<Parameter, Tensor> {
    const gradients = new Map<Parameter, Tensor>();
    if (!this.parameters.some(isTrained)) return gradients;
    const [batch, , tokens, channels] = dy.shape;
    const rows: Tensor2D = reshape(dy, [batch, tokens * channels]);
    const sums = columnSums(rows);
    rows.dispose();
    if (isTrained(this.#token)) {
      const first = slice(sums, 0, channels);
      gradients.set(this.#token, reshape(first, [1, 1, channels]));
      first.dispose();
    }
    if (isTrained(this.#positions)) gradients.set(this.#positions, reshape(sums, [1, tokens, channels]));
    sums.dispose();
    return gradients;
  }
}

/** The first token of a sequence, [1, tokens, c] → [1, 1, c]: what a vision transformer's classifier reads. */
export function firstToken(name: string, inputShape: Shape3): Block {
  const [, tokens, channels] = inputShape;
  const outputShape: Shape3 = [1, 1, channels];
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    holdsCotangent: true,
    apply: (x) => slice(x, [0, 0, 0, 0], [x.shape[0], 1, 1, channels]),
    pullBack: (dy) => {
      const rest: Tensor4D = zeros([dy.shape[0], 1, tokens - 1, channels]);
      const dx = concat([dy, rest], 2);
      rest.dispose();
      dy.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf([1, 2 * tokens - 1, channels], batchSize),
  });
}

/** The tokens of a sequence but the first on their grid, [1, 1 + h·w, c] → [h, w, c]: what a decoder of the image reads. */
export function patchTokens(name: string, inputShape: Shape3, [height, width]: readonly [number, number]): Block {
  const channels = inputShape[2];
  const outputShape: Shape3 = [height, width, channels];
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: false, output: false },
    holdsCotangent: true,
    apply: (x) => {
      const patches: Tensor4D = slice(x, [0, 0, 1, 0], [x.shape[0], 1, height * width, channels]);
      const output: Tensor4D = reshape(patches, [x.shape[0], ...outputShape]);
      patches.dispose();
      return output;
    },
    pullBack: (dy) => {
      const first: Tensor4D = zeros([dy.shape[0], 1, 1, channels]);
      const patches: Tensor4D = reshape(dy, [dy.shape[0], 1, height * width, channels]);
      const dx = concat([first, patches], 2);
      for (const tensor of [first, patches, dy]) tensor.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => bytesOf(outputShape, batchSize),
    pullBackPeakBytes: (batchSize) => bytesOf([1, 2 + height * width, channels], batchSize),
  });
}
