import { largestOf, multiplyAdd } from './lanes';
import { packColumns, packRows } from './matrix-panels';
import { block } from './matrix-product';
import { exp } from './transcendentals';

// Attention of heads firstHead … lastHead − 1, counted over all images: y = softmax(q·kᵀ·scale)·v. x is [image, token, 3·width] with
// queries, keys and values side by side, y [image, token, width]. Queries are worked on in blocks of `height`, so that their scores stay in
// the second-level cache. src/kernels/attention.ts reserves `scratchBytes` for each thread.
export function attention(
  x: usize, y: usize, scratch: usize, firstHead: i32, lastHead: i32, tokens: i32, width: i32, heads: i32, height: i32,
  scale: f32, scratchBytes: i32, thread: i32,
): void {
  const size = width / heads;
  const rowBytes = (<usize>(3 * width)) << 2, outBytes = (<usize>width) << 2;
  const padded = (tokens + 7) & -8;
  const scoreBytes = (<usize>padded) << 2;
  const keys = scratch + (<usize>scratchBytes) * (<usize>thread);
  const values = keys + ((<usize>(padded * size)) << 2);
  const scores = values + ((<usize>(tokens * ((size + 7) & -8))) << 2);
  for (let head = firstHead; head < lastHead; head++) {
    const q = x + queriesOf(head, tokens, width, heads);
    const out = y + outputOf(head, tokens, width, heads);
    packColumns(q + outBytes, keys, 0, size, 0, tokens, 3 * width, 0, 1);
    packColumns(q + 2 * outBytes, values, 0, tokens, 0, size, 0, 3 * width, 0);
    for (let first = 0; first < tokens; first += height) {
      const rows = min(height, tokens - first);
      block(q + (<usize>first) * rowBytes, rowBytes, keys, scores, scoreBytes, rows, padded, size, true);
      softmax(scores, rows, tokens, scoreBytes, scale);
      block(scores, scoreBytes, values, out + (<usize>first) * outBytes, outBytes, rows, size, tokens, true);
    }
  }
}

// dx from dy, in the layouts of x and y above. The attention weights P are computed again. With dP = dy·vᵀ and
// dS = P·(dP − Σ dP·P)·scale: dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·dy.
export function attentionGradient(
  dy: usize, x: usize, dx: usize, scratch: usize, firstHead: i32, lastHead: i32, tokens: i32, width: i32, heads: i32, height: i32,
  scale: f32, scratchBytes: i32, thread: i32,
): void {
  const size = width / heads;
  const rowBytes = (<usize>(3 * width)) << 2, outBytes = (<usize>width) << 2;
  const padded = (tokens + 7) & -8;
  const scoreBytes = (<usize>padded) << 2;
  const panelBytes = (<usize>(padded * size)) << 2;
  const rowPanelBytes = (<usize>(((size + 7) & -8))) << 2;
  const keyColumns = scratch + (<usize>scratchBytes) * (<usize>thread);
  const valueColumns = keyColumns + panelBytes;
  const keys = valueColumns + panelBytes;
  const panel = keys + rowPanelBytes * (<usize>tokens);
  const weights = panel + rowPanelBytes * (<usize>height);
  const scores = weights + scoreBytes * (<usize>height);
  const transposed = scores + scoreBytes * (<usize>height);
  for (let head = firstHead; head < lastHead; head++) {
    const at = queriesOf(head, tokens, width, heads);
    const q = x + at, dq = dx + at;
    const cotangent = dy + outputOf(head, tokens, width, heads);
    packColumns(q + outBytes, keyColumns, 0, size, 0, tokens, 3 * width, 0, 1);
    packColumns(q + 2 * outBytes, valueColumns, 0, size, 0, tokens, 3 * width, 0, 1);
    packColumns(q + outBytes, keys, 0, tokens, 0, size, 0, 3 * width, 0);
    for (let first = 0; first < tokens; first += height) {
      const rows = min(height, tokens - first);
      const depthBytes = (<usize>rows) << 2;
      const queries = q + (<usize>first) * rowBytes;
      const d = cotangent + (<usize>first) * outBytes;
      block(queries, rowBytes, keyColumns, weights, scoreBytes, rows, padded, size, true);
      softmax(weights, rows, tokens, scoreBytes, scale);
      packRows(weights, transposed, tokens, rows, scoreBytes);
      packColumns(d, panel, 0, rows, 0, size, 0, width, 0);
      block(transposed, depthBytes, panel, dq + 2 * outBytes, rowBytes, tokens, size, rows, first == 0);
      block(d, outBytes, valueColumns, scores, scoreBytes, rows, padded, size, true);
      throughSoftmax(scores, weights, rows, tokens, scoreBytes, scale);
      block(scores, scoreBytes, keys, dq + (<usize>first) * rowBytes, rowBytes, rows, size, tokens, true);
      packRows(scores, transposed, tokens, rows, scoreBytes);
      packColumns(queries, panel, 0, rows, 0, size, 0, 3 * width, 0);
      block(transposed, depthBytes, panel, dq + outBytes, rowBytes, tokens, size, rows, first == 0);
    }
  }
}

// Bytes before the first query of a head.
// @ts-ignore: decorator
@inline
function queriesOf(head: i32, tokens: i32, width: i32, heads: i32): usize {
  return (<usize>(head / heads) * <usize>tokens * 3 * <usize>width + <usize>(head % heads) * <usize>(width / heads)) << 2;
}

// Bytes before the first output of a head.
// @ts-ignore: decorator
@inline
function outputOf(head: i32, tokens: i32, width: i32, heads: i32): usize {
  return (<usize>(head / heads) * <usize>tokens * <usize>width + <usize>(head % heads) * <usize>(width / heads)) << 2;
}

// In place on rows of `columns` scores. Values beyond them are neither read nor written.
function softmax(scores: usize, rows: i32, columns: i32, step: usize, scale: f32): void {
  const whole = (<usize>(columns & -4)) << 2, end = (<usize>columns) << 2;
  const scales = f32x4.splat(scale);
  for (let row = 0; row < rows; row++) {
    const p = scores + (<usize>row) * step;
    const largest = largestOf(p, end);
    const most = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const power = exp(f32x4.mul(f32x4.sub(v128.load(p + at), most), scales));
      v128.store(p + at, power);
      sums = f32x4.add(sums, power);
    }
    let sum = total(sums);
    for (; at < end; at += 4) {
      const power = f32x4.extract_lane(exp(f32x4.splat((load<f32>(p + at) - largest) * scale)), 0);
      store<f32>(p + at, power);
      sum += power;
    }
    const share: f32 = 1.0 / sum;
    const shares = f32x4.splat(share);
    for (at = 0; at < whole; at += 16) v128.store(p + at, f32x4.mul(v128.load(p + at), shares));
    for (; at < end; at += 4) store<f32>(p + at, load<f32>(p + at) * share);
  }
}

// d = weights·(d − Σ d·weights)·scale for each row.
function throughSoftmax(d: usize, weights: usize, rows: i32, columns: i32, step: usize, scale: f32): void {
  const whole = (<usize>(columns & -4)) << 2, end = (<usize>columns) << 2;
  const scales = f32x4.splat(scale);
  for (let row = 0; row < rows; row++) {
    const p = d + (<usize>row) * step, w = weights + (<usize>row) * step;
    let sums = f32x4.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) sums = multiplyAdd(v128.load(p + at), v128.load(w + at), sums);
    let mean = total(sums);
    for (; at < end; at += 4) mean += load<f32>(p + at) * load<f32>(w + at);
    const means = f32x4.splat(mean);
    for (at = 0; at < whole; at += 16) {
      v128.store(p + at, f32x4.mul(f32x4.mul(f32x4.sub(v128.load(p + at), means), v128.load(w + at)), scales));
    }
    for (; at < end; at += 4) store<f32>(p + at, (load<f32>(p + at) - mean) * load<f32>(w + at) * scale);
  }
}

// @ts-ignore: decorator
@inline
function total(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}
