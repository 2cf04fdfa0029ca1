import { multiplyAdd } from './lanes';

// Filters are packed in tiles of eight output channels, so that a tile's weights lie in the order of their use:
// packed[tile][tap][in channel][8], zeros beyond the last channel.

// w [taps, inChannels, outChannels] as it is, or (turned) w [taps, outChannels, inChannels] with its taps reversed and its
// channels swapped: the filter of the input gradient.
export function packFilter(w: usize, packed: usize, taps: i32, inChannels: i32, outChannels: i32, isTurned: i32): void {
  let to = packed;
  for (let first = 0; first < outChannels; first += 8) {
    const lanes = min(8, outChannels - first);
    for (let tap = 0; tap < taps; tap++) {
      const plane = w + ((<usize>((isTurned ? taps - 1 - tap : tap) * inChannels * outChannels)) << 2);
      for (let c = 0; c < inChannels; c++) {
        let from = plane + ((<usize>(isTurned ? first * inChannels + c : c * outChannels + first)) << 2);
        const step = isTurned ? (<usize>inChannels) << 2 : 4;
        if (lanes == 8 && !isTurned) {
          v128.store(to, v128.load(from));
          v128.store(to, v128.load(from, 16), 16);
        } else {
          for (let lane = 0; lane < 8; lane++) {
            store<f32>(to + ((<usize>lane) << 2), lane < lanes ? load<f32>(from) : 0);
            from += step;
          }
        }
        to += 32;
      }
    }
  }
}

// y[n, oh, ow, co] = Σ x[n, oh·s + i − p, ow·s + j − p, ci] · w[i, j, ci, co] for images start … end − 1.
//
// Rows of x are copied to `scratch`, `band` output rows' worth at a time, with zeros at both sides. There, what a pixel
// needs of one row is contiguous: the innermost loop runs over columns and channels at once and tests nothing. Four
// pixels × eight channels stay in registers. Without padding x is read in place.
export function convolve(
  x: usize, packed: usize, y: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, stride: i32, padding: i32, band: i32,
): void {
  const rowBytes = (<usize>((width + 2 * padding) * inChannels)) << 2;
  const length = kernelWidth * inChannels;
  const tileBytes = (<usize>(kernelHeight * length)) << 5;
  const outStep = (<usize>outChannels) << 2;
  const side = (<usize>(padding * inChannels)) << 2;
  if (padding) {
    const bandRows = min(height, (band - 1) * stride + kernelHeight);
    for (let row = 0; row < bandRows; row++) {
      memory.fill(scratch + (<usize>row) * rowBytes, 0, side);
      memory.fill(scratch + (<usize>(row + 1)) * rowBytes - side, 0, side);
    }
  }
  for (let n = start; n < end; n++) for (let top = 0; top < outHeight; top += band) {
    const bottom = min(top + band, outHeight);
    // Input rows of this band that exist; `rows` is where row 0 of the image would lie.
    const first = max(0, top * stride - padding);
    const last = min(height, (bottom - 1) * stride - padding + kernelHeight);
    let rows = x + (<usize>(n * height)) * rowBytes;
    if (padding) {
      for (let ih = first; ih < last; ih++) {
        const bytes = rowBytes - 2 * side;
        memory.copy(scratch + (<usize>(ih - first)) * rowBytes + side, x + (<usize>(n * height + ih)) * bytes, bytes);
      }
      rows = scratch - (<usize>first) * rowBytes;
    }
    let weights = packed;
    for (let co = 0; co < outChannels; co += 8) {
      const lanes = min(8, outChannels - co);
      for (let oh = top; oh < bottom; oh++) {
        const ih = oh * stride - padding;
        const from = max(0, -ih);
        const to = min(kernelHeight, height - ih);
        const source = rows + (<usize>(ih + from)) * rowBytes;
        const w = weights + ((<usize>(from * length)) << 5);
        const target = y + ((<usize>((n * outHeight + oh) * outWidth * outChannels + co)) << 2);
        if (outWidth < 4) {
          for (let ow = 0; ow < outWidth; ow++) {
            pixel(source + ((<usize>(ow * stride * inChannels)) << 2), w, target + (<usize>ow) * outStep, to - from, length, rowBytes, lanes);
          }
        } else for (let at = 0; at < outWidth; at += 4) {
          // The last tile may overlap the one before it: the same sums again.
          const ow = min(at, outWidth - 4);
          tile(source + ((<usize>(ow * stride * inChannels)) << 2), w, target + (<usize>ow) * outStep, to - from, length, rowBytes, (<usize>(stride * inChannels)) << 2, outStep, lanes);
        }
      }
      weights += tileBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function tile(
  x: usize, w: usize, y: usize, rows: i32, length: i32, rowBytes: usize, step: usize, outStep: usize, lanes: i32,
): void {
  const z = f32x4.splat(0);
  let a00 = z, a01 = z, a10 = z, a11 = z, a20 = z, a21 = z, a30 = z, a31 = z;
  for (let i = 0; i < rows; i++) {
    let p0 = x + (<usize>i) * rowBytes;
    const stop = p0 + ((<usize>length) << 2);
    let p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
    while (p0 < stop) {
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      let v = v128.load32_splat(p0);
      a00 = multiplyAdd(v, w0, a00); a01 = multiplyAdd(v, w1, a01);
      v = v128.load32_splat(p1);
      a10 = multiplyAdd(v, w0, a10); a11 = multiplyAdd(v, w1, a11);
      v = v128.load32_splat(p2);
      a20 = multiplyAdd(v, w0, a20); a21 = multiplyAdd(v, w1, a21);
      v = v128.load32_splat(p3);
      a30 = multiplyAdd(v, w0, a30); a31 = multiplyAdd(v, w1, a31);
      p0 += 4; p1 += 4; p2 += 4; p3 += 4;
      w += 32;
    }
  }
  put(y, a00, a01, lanes);
  put(y + outStep, a10, a11, lanes);
  put(y + 2 * outStep, a20, a21, lanes);
  put(y + 3 * outStep, a30, a31, lanes);
}

function pixel(x: usize, w: usize, y: usize, rows: i32, length: i32, rowBytes: usize, lanes: i32): void {
  let a0 = f32x4.splat(0), a1 = a0;
  for (let i = 0; i < rows; i++) {
    let p = x + (<usize>i) * rowBytes;
    const stop = p + ((<usize>length) << 2);
    while (p < stop) {
      const v = v128.load32_splat(p);
      a0 = multiplyAdd(v, v128.load(w), a0);
      a1 = multiplyAdd(v, v128.load(w, 16), a1);
      p += 4;
      w += 32;
    }
  }
  put(y, a0, a1, lanes);
}

// Stores the first `lanes` of eight values.
// @ts-ignore: decorator
@inline
function put(y: usize, v0: v128, v1: v128, lanes: i32): void {
  if (lanes == 8) {
    v128.store(y, v0);
    v128.store(y, v1, 16);
  } else {
    putSome(y, v0, v1, lanes);
  }
}

function putSome(y: usize, v0: v128, v1: v128, lanes: i32): void {
  let v = v0;
  let left = lanes;
  if (left >= 4) {
    v128.store(y, v);
    y += 16;
    left -= 4;
    v = v1;
  }
  if (left > 0) v128.store_lane<f32>(y, v, 0);
  if (left > 1) v128.store_lane<f32>(y, v, 1, 4);
  if (left > 2) v128.store_lane<f32>(y, v, 2, 8);
}
