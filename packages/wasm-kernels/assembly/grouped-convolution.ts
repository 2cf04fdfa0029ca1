import { multiplyAdd } from './lanes';

// Convolutions in groups of images start … end − 1: x [n, h, w, ci], filter [kh, kw, ci / groups, co], y [n, oh, ow, co]. The
// co / groups output channels of a group read its ci / groups input channels.

// y = Σ x·w.
export function groupedConvolve(
  x: usize, w: usize, y: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, groups: i32,
): void {
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  const tapBytes = <usize>(inChannels / groups) * outStep;
  for (let n = start; n < end; n++) {
    convolveImage(
      x + <usize>(n * height * width) * step, w, y + <usize>(n * outHeight * outWidth) * outStep, height, width, inChannels, outHeight,
      outWidth, outChannels, kernelHeight, kernelWidth, strideHeight, strideWidth, -paddingHeight, -paddingWidth, groups,
      tapBytes * <usize>kernelWidth, tapBytes, outStep * <usize>outWidth, outStep,
    );
  }
}

// The filter of the input gradient as a convolution: taps in reverse order, and inputs and outputs of each group exchanged.
// w [taps, ci / groups, co] → turned [taps, co / groups, ci]
export function turnGroupedFilter(w: usize, turned: usize, taps: i32, inChannels: i32, outChannels: i32, groups: i32): void {
  const inputs = inChannels / groups, outputs = outChannels / groups;
  const step = (<usize>inChannels) << 2;
  for (let tap = taps - 1; tap >= 0; tap--) for (let c = 0; c < inputs; c++) for (let group = 0; group < groups; group++) {
    let to = turned + <usize>(tap * outputs) * step + ((<usize>(group * inputs + c)) << 2);
    for (let o = 0; o < outputs; o++) {
      store<f32>(to, load<f32>(w));
      w += 4;
      to += step;
    }
  }
}

// dx = Σ dy·w with the turned filter. The pixels that are a stride apart read the same taps, every stride-th one, at neighboring places of
// dy: one convolution of stride 1 for each of strideHeight × strideWidth such sets.
export function groupedInputGradient(
  dy: usize, turned: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, groups: i32,
): void {
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  const tapBytes = <usize>(outChannels / groups) * step;
  for (let top = 0; top < strideHeight; top++) for (let left = 0; left < strideWidth; left++) {
    // The last of the taps that reach these pixels is the first one of the turned filter.
    const rows = tapsFrom((top + paddingHeight) % strideHeight, kernelHeight, strideHeight);
    const columns = tapsFrom((left + paddingWidth) % strideWidth, kernelWidth, strideWidth);
    const lastRow = (top + paddingHeight) % strideHeight + (rows - 1) * strideHeight;
    const lastColumn = (left + paddingWidth) % strideWidth + (columns - 1) * strideWidth;
    const first = (kernelHeight - 1 - lastRow) * kernelWidth + kernelWidth - 1 - lastColumn;
    for (let n = start; n < end; n++) {
      convolveImage(
        dy + <usize>(n * outHeight * outWidth) * outStep, turned + <usize>first * tapBytes,
        dx + <usize>((n * height + top) * width + left) * step, outHeight, outWidth, outChannels,
        (height - top + strideHeight - 1) / strideHeight, (width - left + strideWidth - 1) / strideWidth, inChannels, rows, columns, 1, 1,
        (top + paddingHeight - lastRow) / strideHeight, (left + paddingWidth - lastColumn) / strideWidth, groups,
        tapBytes * <usize>(strideHeight * kernelWidth), tapBytes * <usize>strideWidth, step * <usize>(strideHeight * width),
        step * <usize>strideWidth,
      );
    }
  }
}

function tapsFrom(first: i32, size: i32, stride: i32): i32 {
  return first < size ? (size - 1 - first) / stride + 1 : 0;
}

// One image. The first output reads rows from `firstTop` and columns from `firstLeft` on; rows and taps of the filter, lines and pixels of y
// are tapRowBytes, tapBytes, lineBytes and pixelBytes apart. Four output channels of up to four neighboring pixels are worked on together.
function convolveImage(
  x: usize, w: usize, y: usize, height: i32, width: i32, inChannels: i32, outHeight: i32, outWidth: i32, outChannels: i32,
  kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32, firstTop: i32, firstLeft: i32, groups: i32,
  tapRowBytes: usize, tapBytes: usize, lineBytes: usize, pixelBytes: usize,
): void {
  const inputs = inChannels / groups, outputs = outChannels / groups;
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  for (let oh = 0; oh < outHeight; oh++) {
    const top = oh * strideHeight + firstTop;
    const firstRow = max(0, -top), lastRow = min(kernelHeight, height - top);
    const line = y + <usize>oh * lineBytes;
    let ow = 0;
    while (ow < outWidth) {
      const left = ow * strideWidth + firstLeft;
      // All columns of the filter lie inside for four pixels.
      const isInside = left >= 0 && ow + 4 <= outWidth && left + 3 * strideWidth + kernelWidth <= width;
      const firstColumn = max(0, -left), lastColumn = min(kernelWidth, width - left);
      const target = line + <usize>ow * pixelBytes;
      const pixels = isInside ? 4 : 1;
      for (let group = 0; group < groups; group++) {
        const from = x + ((<usize>(group * inputs)) << 2);
        let o = 0;
        if (isInside) {
          for (; o + 4 <= outputs; o += 4) {
            const at = (<usize>(group * outputs + o)) << 2;
            fourPixels(from, w + at, target + at, top, left, firstRow, lastRow, width, inputs, step, outStep, kernelWidth, strideWidth, tapRowBytes, tapBytes, pixelBytes);
          }
        } else {
          for (; o + 16 <= outputs; o += 16) {
            const at = (<usize>(group * outputs + o)) << 2;
            sixteenChannels(from, w + at, target + at, top, left, firstRow, lastRow, firstColumn, lastColumn, width, inputs, step, outStep, tapRowBytes, tapBytes);
          }
          for (; o + 4 <= outputs; o += 4) {
            const at = (<usize>(group * outputs + o)) << 2;
            let sum = f32x4.splat(0);
            for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
              let p = from + <usize>((top + i) * width + left + j) * step;
              let q = w + <usize>i * tapRowBytes + <usize>j * tapBytes + at;
              for (let c = 0; c < inputs; c++) {
                sum = multiplyAdd(v128.load32_splat(p), v128.load(q), sum);
                p += 4;
                q += outStep;
              }
            }
            v128.store(target + at, sum);
          }
        }
        for (; o < outputs; o++) {
          const at = (<usize>(group * outputs + o)) << 2;
          for (let pixel = 0; pixel < pixels; pixel++) {
            const column = left + pixel * strideWidth;
            let sum: f32 = 0;
            for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
              let p = from + <usize>((top + i) * width + column + j) * step;
              let q = w + <usize>i * tapRowBytes + <usize>j * tapBytes + at;
              for (let c = 0; c < inputs; c++) {
                sum += load<f32>(p) * load<f32>(q);
                p += 4;
                q += outStep;
              }
            }
            store<f32>(target + <usize>pixel * pixelBytes + at, sum);
          }
        }
      }
      ow += pixels;
    }
  }
}

// @ts-ignore: decorator
@inline
function fourPixels(
  x: usize, w: usize, y: usize, top: i32, left: i32, firstRow: i32, lastRow: i32, width: i32, inputs: i32, step: usize,
  outStep: usize, kernelWidth: i32, strideWidth: i32, tapRowBytes: usize, tapBytes: usize, pixelBytes: usize,
): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  const next = (<usize>strideWidth) * step;
  for (let i = firstRow; i < lastRow; i++) for (let j = 0; j < kernelWidth; j++) {
    let p = x + <usize>((top + i) * width + left + j) * step;
    let q = w + <usize>i * tapRowBytes + <usize>j * tapBytes;
    for (let c = 0; c < inputs; c++) {
      const weights = v128.load(q);
      a0 = multiplyAdd(v128.load32_splat(p), weights, a0);
      a1 = multiplyAdd(v128.load32_splat(p + next), weights, a1);
      a2 = multiplyAdd(v128.load32_splat(p + 2 * next), weights, a2);
      a3 = multiplyAdd(v128.load32_splat(p + 3 * next), weights, a3);
      p += 4;
      q += outStep;
    }
  }
  v128.store(y, a0);
  v128.store(y + pixelBytes, a1);
  v128.store(y + 2 * pixelBytes, a2);
  v128.store(y + 3 * pixelBytes, a3);
}

// Sixteen output channels of a pixel: sums that do not wait for each other.
// @ts-ignore: decorator
@inline
function sixteenChannels(
  x: usize, w: usize, y: usize, top: i32, left: i32, firstRow: i32, lastRow: i32, firstColumn: i32, lastColumn: i32, width: i32,
  inputs: i32, step: usize, outStep: usize, tapRowBytes: usize, tapBytes: usize,
): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
    let p = x + <usize>((top + i) * width + left + j) * step;
    let q = w + <usize>i * tapRowBytes + <usize>j * tapBytes;
    for (let c = 0; c < inputs; c++) {
      const v = v128.load32_splat(p);
      a0 = multiplyAdd(v, v128.load(q), a0);
      a1 = multiplyAdd(v, v128.load(q, 16), a1);
      a2 = multiplyAdd(v, v128.load(q, 32), a2);
      a3 = multiplyAdd(v, v128.load(q, 48), a3);
      p += 4;
      q += outStep;
    }
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  v128.store(y, a2, 32);
  v128.store(y, a3, 48);
}

// dw = Σ x·dy: the sums of each row of outputs first.
export function groupedFilterGradient(
  x: usize, dy: usize, dw: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, groups: i32,
): void {
  const inputs = inChannels / groups, outputs = outChannels / groups;
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  memory.fill(dw, 0, <usize>(kernelHeight * kernelWidth * inputs) * outStep);
  for (let n = start; n < end; n++) for (let oh = 0; oh < outHeight; oh++) {
    const source = dy + <usize>((n * outHeight + oh) * outWidth) * outStep;
    for (let i = 0; i < kernelHeight; i++) {
      const row = oh * strideHeight + i - paddingHeight;
      if (<u32>row >= <u32>height) continue;
      const line = x + <usize>((n * height + row) * width) * step;
      for (let j = 0; j < kernelWidth; j++) {
        const lack = paddingWidth - j;
        const left = lack > 0 ? (lack + strideWidth - 1) / strideWidth : 0;
        const reach = width - 1 + paddingWidth - j;
        const right = reach < 0 ? 0 : min(reach / strideWidth + 1, outWidth);
        if (right <= left) continue;
        const first = line + <usize>(left * strideWidth + j - paddingWidth) * step;
        for (let channel = 0; channel < inChannels; channel++) {
          const group = channel / inputs, c = channel % inputs;
          const from = first + ((<usize>channel) << 2);
          const tap = dw + <usize>((i * kernelWidth + j) * inputs + c) * outStep;
          let o = group * outputs;
          const last = o + outputs;
          for (; o + 4 <= last; o += 4) {
            const at = (<usize>o) << 2;
            let p = from;
            let q = source + (<usize>left) * outStep + at;
            let sum = f32x4.splat(0);
            for (let ow = left; ow < right; ow++) {
              sum = multiplyAdd(v128.load32_splat(p), v128.load(q), sum);
              p += (<usize>strideWidth) * step;
              q += outStep;
            }
            v128.store(tap + at, f32x4.add(v128.load(tap + at), sum));
          }
          for (; o < last; o++) {
            const at = (<usize>o) << 2;
            let p = from;
            let q = source + (<usize>left) * outStep + at;
            let sum: f32 = 0;
            for (let ow = left; ow < right; ow++) {
              sum += load<f32>(p) * load<f32>(q);
              p += (<usize>strideWidth) * step;
              q += outStep;
            }
            store<f32>(tap + at, load<f32>(tap + at) + sum);
          }
        }
      }
    }
  }
}
