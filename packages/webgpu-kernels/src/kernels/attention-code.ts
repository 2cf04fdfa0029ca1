import type { Tensor4D } from '@tensorflow/tfjs';
import { isMissing, missing, missingBits } from '../missing.js';
import type { ManyRequest } from '../program-many.js';

/** Queries (or keys) of a workgroup, one per invocation. */
const rowsOfWorkgroup = 32;
/** Workgroup memory that every device has, in bytes. */
const workgroupBytes = 16_384;

/** WGSL, and numbers, that the programs of attention share. A head counts over all images. */
export function programOf(
  key: string,
  { shape: [batch, , tokens, channels] }: Tensor4D,
  heads: number,
  buffers: readonly string[],
): Pick<ManyRequest, 'key' | 'integers' | 'numbers' | 'threads' | 'workgroups' | 'declarations'> {
  const width = channels / 3;
  const size = width / heads;
  const vectors = Math.ceil(size / 4);
  const blocks = Math.ceil(tokens / rowsOfWorkgroup);
  const tileRows = Math.max(1, Math.min(rowsOfWorkgroup, Math.floor(workgroupBytes / (32 * vectors))));
  return {
    key: `${key} ${size}`,
    integers: { tokens, width, heads, blocks, groups: batch * heads * blocks, missingBits },
    numbers: { scale: 1 / Math.sqrt(size) },
    threads: rowsOfWorkgroup,
    workgroups: batch * heads * blocks,
    declarations: `${isMissing}
      const size = ${size};
      const vectors = ${vectors};
      const tileRows = ${tileRows};
      alias Vector = array<vec4<f32>, vectors>;
      var<workgroup> first : array<Vector, tileRows>;
      var<workgroup> second : array<Vector, tileRows>;
      // Where a head's row of queries (part 0), keys (1) or values (2) starts.
      fn triple(head : i32, part : i32, row : i32) -> i32 {
        return 3 * single(head - head % uniforms.heads, row) + part * uniforms.width + (head % uniforms.heads) * size;
      }
      // The same in the outputs.
      fn single(head : i32, row : i32) -> i32 {
        return ((head / uniforms.heads) * uniforms.tokens + row) * uniforms.width + (head % uniforms.heads) * size;
      }
      ${buffers.map(readers).join('')}`,
  };
}

/** WGSL functions that read a row of a buffer, or four of its values, with zeros beyond the last. */
function readers(buffer: string): string {
  return `
    fn ${buffer}Four(at : i32, c : i32) -> vec4<f32> {
      var four : vec4<f32>;
      for (var lane = 0; lane < min(4, size - 4 * c); lane++) { four[lane] = ${buffer}[at + 4 * c + lane]; }
      return four;
    }
    fn ${buffer}Vector(at : i32) -> Vector {
      var vector : Vector;
      for (var c = 0; c < vectors; c++) { vector[c] = ${buffer}Four(at, c); }
      return vector;
    }`;
}

/** WGSL: head and row of an invocation. Those beyond the last repeat it, and write nothing. */
export const place = `
  let head = min(group, uniforms.groups - 1) / uniforms.blocks;
  let wanted = (group % uniforms.blocks) * ${rowsOfWorkgroup} + local;
  let row = min(wanted, uniforms.tokens - 1);
  let isInside = group < uniforms.groups && wanted < uniforms.tokens;`;

/** WGSL: a variable with the product of two rows. */
export function productOf(name: string, a: string, b: string): string {
  return `
    var ${name} = 0.0;
    for (var c = 0; c < vectors; c++) { ${name} += dot(${a}[c], ${b}[c]); }`;
}

type Side = readonly [buffer: string, at: string];

/** WGSL that meets all rows of the other side: in `each`, `first[i]` and `second[i]` are those of row `start + i`. */
export function overTiles(first: Side, second: Side, each: string): string {
  const load = (name: string, [buffer, at]: Side) =>
    `${name}[e / vectors][e % vectors] = ${buffer}Four(${at}, e % vectors);`;
  return `
    for (var start = 0; start < uniforms.tokens; start += tileRows) {
      workgroupBarrier();
      for (var e = local; e < tileRows * vectors; e += ${rowsOfWorkgroup}) {
        let other = min(start + e / vectors, uniforms.tokens - 1);
        ${load('first', first)}
        ${load('second', second)}
      }
      workgroupBarrier();
      for (var i = 0; i < min(tileRows, uniforms.tokens - start); i++) {
        ${each}
      }
    }`;
}

/**
 * WGSL: softmax over scores that are met one by one. The sum is corrected whenever a larger score is met (Milakov and Gimelshein 2018,
 * "Online normalizer calculation for softmax").
 */
export const onlineSoftmax = `
  var sum = 0.0;
  var largest = -3.4028234e38;
  var isDefined = true;`;

/** WGSL: meets the score of key `first[i]`. `correct` multiplies sums other than `sum` by `factor`. */
export function meetScore(correct: string): string {
  return `
    ${productOf('score', 'query', 'first[i]')}
    score *= uniforms.scale;
    isDefined = isDefined && !isMissing(score);
    if (score > largest) {
      let factor = exp(largest - score);
      sum *= factor;
      ${correct}
      largest = score;
    }
    let power = exp(score - largest);
    sum += power;`;
}

/** WGSL: what to multiply sums by; NaN where softmax is not defined, since a score is NaN or the largest one infinite. */
export const shareOfSum = `
  isDefined = isDefined && (bitcast<u32>(largest) & 0x7fffffffu) < 0x7f800000u;
  let share = select(${missing}, 1.0 / sum, isDefined);`;
