import {
  concat,
  dispose,
  div,
  exp,
  matMul,
  max,
  mul,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  transpose,
} from '@tensorflow/tfjs';

interface Sizes {
  readonly tokens: number;
  /** Channels of all heads together. */
  readonly width: number;
  readonly heads: number;
}

/**
 * Attention of several heads on [batch, 1, tokens, 3·width] and its derivative, from operations that every backend has.
 * Tensors are disposed as early as possible, so that the bytes can be predicted.
 */
export class AttentionOperation {
  readonly #sizes: Sizes;
  readonly #scale: number;

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
    this.#scale = 1 / Math.sqrt(sizes.width / sizes.heads);
  }

  /** Borrows x. */
  attend(x: Tensor4D): Tensor4D {
    const queries = this.#part(x, 0);
    const keys = this.#part(x, 1);
    const weights = this.#weights(queries, keys);
    dispose([queries, keys]);
    const values = this.#part(x, 2);
    const attended = matMul(weights, values);
    dispose([weights, values]);
    return this.#merge(attended);
  }

  /** Consumes dy; borrows x. */
  pullBack(dy: Tensor4D, x: Tensor4D): Tensor4D {
    const cotangent = this.#byHead(dy);
    dy.dispose();
    const queries = this.#part(x, 0);
    const keys = this.#part(x, 1);
    const weights = this.#weights(queries, keys);
    const values = this.#part(x, 2);
    const dWeights = matMul(cotangent, values, false, true);
    values.dispose();
    const dValues = matMul(weights, cotangent, true, false);
    cotangent.dispose();
    const dScores = this.#throughSoftmax(dWeights, weights);
    const dQueries = matMul(dScores, keys);
    keys.dispose();
    const dKeys = matMul(dScores, queries, true, false);
    dispose([queries, dScores]);
    const parts = [dQueries, dKeys, dValues].map((part) => this.#merge(part));
    const dx: Tensor4D = concat(parts, 3);
    dispose(parts);
    return dx;
  }

  /** softmax(q·kᵀ·scale); borrows both. */
  #weights(queries: Tensor, keys: Tensor): Tensor {
    const products = matMul(queries, keys, false, true);
    const scores = mul(products, this.#scale);
    products.dispose();
    const largest = max(scores, -1, true);
    const shifted = sub(scores, largest);
    dispose([scores, largest]);
    const powers = exp(shifted);
    shifted.dispose();
    const total = sum(powers, -1, true);
    const weights = div(powers, total);
    dispose([powers, total]);
    return weights;
  }

  /** Cotangent of the products of queries and keys. Consumes both. */
  #throughSoftmax(dWeights: Tensor, weights: Tensor): Tensor {
    const products = mul(dWeights, weights);
    const means = sum(products, -1, true);
    products.dispose();
    const centered = sub(dWeights, means);
    dispose([dWeights, means]);
    const dScores = mul(centered, weights);
    dispose([centered, weights]);
    const scaled = mul(dScores, this.#scale);
    dScores.dispose();
    return scaled;
  }

  /** Queries (0), keys (1) or values (2) as [batch, heads, tokens, width / heads]. */
  #part(x: Tensor4D, index: number): Tensor {
    const { tokens, width } = this.#sizes;
    const part: Tensor4D = slice(x, [0, 0, 0, index * width], [x.shape[0], 1, tokens, width]);
    const heads = this.#byHead(part);
    part.dispose();
    return heads;
  }

  /** [batch, 1, tokens, width] → [batch, heads, tokens, width / heads]. Borrows x. */
  #byHead(x: Tensor4D): Tensor {
    const { tokens, width, heads } = this.#sizes;
    const split = reshape(x, [x.shape[0], tokens, heads, width / heads]);
    const result = transpose(split, [0, 2, 1, 3]);
    split.dispose();
    return result;
  }

  /** [batch, heads, tokens, width / heads] → [batch, 1, tokens, width]. Consumes x. */
  #merge(x: Tensor): Tensor4D {
    const { tokens, width } = this.#sizes;
    const byToken = transpose(x, [0, 2, 1, 3]);
    x.dispose();
    const result: Tensor4D = reshape(byToken, [-1, 1, tokens, width]);
    byToken.dispose();
    return result;
  }
}
