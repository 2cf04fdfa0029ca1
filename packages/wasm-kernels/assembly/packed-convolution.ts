import { copyImages } from './image-copies';
import { multiplyAdd } from './lanes';
import { put, tile } from './tile';

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
// Rows of x are copied to `bands`, one for each thread, `band` output rows' worth at a time, with zeros at both sides. There, what a pixel
// needs of one row is contiguous: the innermost loop runs over columns and channels at once and tests nothing. Four
// pixels × eight channels stay in registers. Without padding x is read in place.
export function convolve(
  x: usize, packed: usize, y: usize, bands: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32,
  outHeight: i32, outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, band: i32,
  scratchBytes: i32, thread: i32,
): void {
  const rowBytes = (<usize>((width + 2 * paddingWidth) * inChannels)) << 2;
  const scratch = bands + (<usize>scratchBytes) * (<usize>thread);
  const length = kernelWidth * inChannels;
  const tileBytes = (<usize>(kernelHeight * length)) << 5;
  const outStep = (<usize>outChannels) << 2;
  const side = (<usize>(paddingWidth * inChannels)) << 2;
  if (paddingWidth) {
    const bandRows = min(height, (band - 1) * strideHeight + kernelHeight);
    for (let row = 0; row < bandRows; row++) {
      memory.fill(scratch + (<usize>row) * rowBytes, 0, side);
      memory.fill(scratch + (<usize>(row + 1)) * rowBytes - side, 0, side);
    }
  }
  for (let n = start; n < end; n++) for (let top = 0; top < outHeight; top += band) {
    const bottom = min(top + band, outHeight);
    // Input rows of this band that exist; `rows` is where row 0 of the image would lie.
    const first = max(0, top * strideHeight - paddingHeight);
    const last = min(height, (bottom - 1) * strideHeight - paddingHeight + kernelHeight);
    let rows = x + (<usize>(n * height)) * rowBytes;
    if (paddingWidth) {
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
        const ih = oh * strideHeight - paddingHeight;
        const from = max(0, -ih);
        const to = min(kernelHeight, height - ih);
        const source = rows + (<usize>(ih + from)) * rowBytes;
        const w = weights + ((<usize>(from * length)) << 5);
        const target = y + ((<usize>((n * outHeight + oh) * outWidth * outChannels + co)) << 2);
        if (outWidth < 4) {
          for (let ow = 0; ow < outWidth; ow++) {
            pixel(source + ((<usize>(ow * strideWidth * inChannels)) << 2), w, target + (<usize>ow) * outStep, to - from, length, rowBytes, lanes);
          }
        } else for (let at = 0; at < outWidth; at += 4) {
          // The last tile may overlap the one before it: the same sums again.
          const ow = min(at, outWidth - 4);
          tile(source + ((<usize>(ow * strideWidth * inChannels)) << 2), w, target + (<usize>ow) * outStep, to - from, length, rowBytes, (<usize>(strideWidth * inChannels)) << 2, outStep, lanes);
        }
      }
      weights += tileBytes;
    }
  }
}

// convolve over its own input, at stride 1, whose shape the output has: `copyBytes` of a thread's scratch memory, the first ones, hold
// the images meanwhile, the others a band.
export function convolveInPlace(
  x: usize, packed: usize, scratch: usize, start: i32, end: i32, height: i32, width: i32, channels: i32,
  kernelHeight: i32, kernelWidth: i32, paddingHeight: i32, paddingWidth: i32, band: i32, copyBytes: i32,
  scratchBytes: i32, thread: i32,
): void {
  const copy = scratch + (<usize>scratchBytes) * (<usize>thread);
  const images = copyImages(x, copy, start, end, height, width, channels);
  convolve(images, packed, x, scratch + <usize>copyBytes, start, end, height, width, channels, height, width, channels, kernelHeight, kernelWidth, 1, 1, paddingHeight, paddingWidth, band, scratchBytes, thread);
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
