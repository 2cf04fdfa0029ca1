import { type Block, bytesOf, rejectUnknownKeys, requireOption, type Shape3 } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { AttentionOperation } from './attention-operation.js';
import { parameterless } from './parameterless.js';
import { savesMap } from './saved-maps.js';

/** Options of `attention`. */
export interface AttentionOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** 1 × tokens × 3d: queries, keys and values side by side, each with the heads one after the other. */
  readonly inputShape: Shape3;
  /** Number of heads; divides d. */
  readonly heads: number;
}

/**
 * Multi-head self-attention without its projections: softmax(q·kᵀ/√(d/heads))·v of each head, [1, tokens, 3d] → [1,
 * tokens, d]. The backward pass recomputes the attention weights instead of storing them.
 */
export function attention(options: AttentionOptions): Block {
  rejectUnknownKeys('attention', options, ['name', 'inputShape', 'heads']);
  const { name, inputShape, heads } = options;
  const [rows, tokens, channels] = inputShape;
  const width = channels / 3;
  requireOption(
    rows === 1 && Number.isInteger(width),
    'attention',
    'inputShape',
    inputShape,
    '1 × tokens × 3d: queries, keys and values',
  );
  const divides = Number.isInteger(heads) && heads > 0 && width % heads === 0;
  requireOption(divides, 'attention', 'heads', heads, `divisors of ${width}`);
  const outputShape: Shape3 = [1, tokens, width];
  const operation = new AttentionOperation({ tokens, width, heads });
  /** Bytes of queries (or keys, or values), of all attention weights, and of one number per row of them. */
  const bytes = (batchSize: number) => {
    const row = 4 * batchSize * heads * tokens;
    return { part: bytesOf(outputShape, batchSize), weights: row * tokens, row };
  };
  return parameterless({
    name,
    inputShape,
    outputShape,
    reads: { input: true, output: false },
    // Composed, it reads a copy of dy.
    holdsCotangent: () => savesMap('attentionGradient'),
    apply: (x) => currentKernels().attention?.(x, heads) ?? operation.attend(x),
    pullBack: (dy, x) => currentKernels().attentionGradient?.(dy, x, heads) ?? operation.pullBack(dy, x),
    multiplyAccumulates: 2 * tokens * tokens * width,
    applyPeakBytes: (batchSize) => {
      const { part, weights, row } = bytes(batchSize);
      if (savesMap('attention')) return part;
      return Math.max(3 * part, 2 * (part + weights) + row);
    },
    pullBackPeakBytes: (batchSize) => {
      const { part, weights, row } = bytes(batchSize);
      if (savesMap('attentionGradient')) return 3 * part;
      return Math.max(5 * part, 4 * part + weights, 3 * part + 2 * weights, 2 * part + 3 * weights + row);
    },
  });
}
