import type { Tensor4D } from '@tensorflow/tfjs';
import type { WebGpuBackend } from '../program.js';
import { runProgramMany } from '../program-many.js';
import { meetScore, onlineSoftmax, overTiles, place, productOf, programOf, shareOfSum } from './attention-code.js';

const keys = 'triple(head, 1, other)';
const values = 'triple(head, 2, other)';

/**
 * softmax(q·kᵀ/√d)·v of each head: [n, 1, tokens, 3·width] → [n, 1, tokens, width]. An invocation has one query and meets all keys and
 * values, so that attention weights are never stored.
 */
export function attention(backend: WebGpuBackend, x: Tensor4D, heads: number): Tensor4D {
  const [batch, , tokens, channels] = x.shape;
  const { output } = runProgramMany(backend, {
    ...programOf('attention', x, heads, ['x']),
    inputs: { x },
    outputs: { output: [batch, 1, tokens, channels / 3] },
    body: `
      ${place}
      var query = xVector(triple(head, 0, row));
      var total : Vector;
      ${onlineSoftmax}
      ${overTiles(
        ['x', keys],
        ['x', values],
        `${meetScore('for (var c = 0; c < vectors; c++) { total[c] *= factor; }')}
        for (var c = 0; c < vectors; c++) { total[c] += power * second[i][c]; }`,
      )}
      ${shareOfSum}
      if (isInside) {
        for (var c = 0; c < size; c++) { output[single(head, row) + c] = total[c / 4][c % 4] * share; }
      }`,
  });
  return output as Tensor4D;
}

/**
 * Attention weights P are computed again. With dP = dy·vᵀ and dS = P·(dP − Σ dP·P)/√d: dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dy. The first
 * program has queries and meets keys, the second has keys and meets queries. Consumes dy.
 */
export function attentionGradient(backend: WebGpuBackend, dy: Tensor4D, x: Tensor4D, heads: number): Tensor4D {
  const [batch, , tokens] = x.shape;
  const { dx, statistics } = runProgramMany(backend, {
    ...programOf('attentionGradient queries', x, heads, ['x', 'dy']),
    inputs: { x, dy },
    // Of each query: largest score, inverse sum of powers, Σ dP·P.
    outputs: { dx: x.shape, statistics: [batch * heads, tokens, 3] },
    body: `
      ${place}
      var query = xVector(triple(head, 0, row));
      var cotangent = dyVector(single(head, row));
      var mean = 0.0;
      ${onlineSoftmax}
      ${overTiles(
        ['x', keys],
        ['x', values],
        `${meetScore('mean *= factor;')}
        ${productOf('slope', 'cotangent', 'second[i]')}
        mean += power * slope;`,
      )}
      ${shareOfSum}
      mean *= share;
      var total : Vector;
      ${overTiles(
        ['x', keys],
        ['x', values],
        `${productOf('score', 'query', 'first[i]')}
        ${productOf('slope', 'cotangent', 'second[i]')}
        slope = exp(score * uniforms.scale - largest) * share * (slope - mean) * uniforms.scale;
        for (var c = 0; c < vectors; c++) { total[c] += slope * first[i][c]; }`,
      )}
      if (isInside) {
        for (var c = 0; c < size; c++) { dx[triple(head, 0, row) + c] = total[c / 4][c % 4]; }
        let at = (head * uniforms.tokens + row) * 3;
        statistics[at] = largest;
        statistics[at + 1] = share;
        statistics[at + 2] = mean;
      }`,
  }) as { dx: Tensor4D; statistics: Tensor4D };
  runProgramMany(backend, {
    ...programOf('attentionGradient keys', x, heads, ['x', 'dy']),
    inputs: { x, dy, statistics },
    outputs: {},
    changed: { dx },
    body: `
      ${place}
      var key = xVector(triple(head, 1, row));
      var value = xVector(triple(head, 2, row));
      var dKey : Vector;
      var dValue : Vector;
      ${overTiles(
        ['x', 'triple(head, 0, other)'],
        ['dy', 'single(head, other)'],
        `let at = (head * uniforms.tokens + start + i) * 3;
        ${productOf('score', 'key', 'first[i]')}
        ${productOf('slope', 'value', 'second[i]')}
        let weight = exp(score * uniforms.scale - statistics[at]) * statistics[at + 1];
        slope = weight * (slope - statistics[at + 2]) * uniforms.scale;
        for (var c = 0; c < vectors; c++) {
          dKey[c] += slope * first[i][c];
          dValue[c] += weight * second[i][c];
        }`,
      )}
      if (isInside) {
        for (var c = 0; c < size; c++) {
          dx[triple(head, 1, row) + c] = dKey[c / 4][c % 4];
          dx[triple(head, 2, row) + c] = dValue[c / 4][c % 4];
        }
      }`,
  });
  statistics.dispose();
  dy.dispose();
  return dx;
}
