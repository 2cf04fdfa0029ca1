import { multiplyAdd } from './lanes';

// Convolutions in groups of images start … end − 1: x [n, h, w, ci], filter [kh, kw, ci / groups, co], y [n, oh, ow, co]. The
// co / groups output channels of a group read its ci / groups input channels.

// y = Σ x·w. Four output channels of up to four neighboring pixels are worked on together.
export function groupedConvolve(
  x: usize, w: usize, y: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, groups: i32,
): void {
  const inputs = inChannels / groups, outputs = outChannels / groups;
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  for (let n = start; n < end; n++) {
    const image = x + <usize>(n * height * width) * step;
    for (let oh = 0; oh < outHeight; oh++) {
      const top = oh * strideHeight - paddingHeight;
      const firstRow = max(0, -top), lastRow = min(kernelHeight, height - top);
      const line = y + <usize>((n * outHeight + oh) * outWidth) * outStep;
      let ow = 0;
      while (ow < outWidth) {
        const left = ow * strideWidth - paddingWidth;
        // All columns of the filter lie inside for four pixels.
        const isInside = left >= 0 && ow + 4 <= outWidth && left + 3 * strideWidth + kernelWidth <= width;
        const firstColumn = max(0, -left), lastColumn = min(kernelWidth, width - left);
        const target = line + (<usize>ow) * outStep;
        const pixels = isInside ? 4 : 1;
        for (let group = 0; group < groups; group++) {
          const from = image + ((<usize>(group * inputs)) << 2);
          let o = 0;
          for (; o + 4 <= outputs; o += 4) {
            const at = (<usize>(group * outputs + o)) << 2;
            if (isInside) {
              fourPixels(from, w + at, target + at, top, left, firstRow, lastRow, width, inputs, step, outStep, kernelWidth, strideWidth);
              continue;
            }
            let sum = f32x4.splat(0);
            for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
              let p = from + <usize>((top + i) * width + left + j) * step;
              let q = w + <usize>((i * kernelWidth + j) * inputs) * outStep + at;
              for (let c = 0; c < inputs; c++) {
                sum = multiplyAdd(v128.load32_splat(p), v128.load(q), sum);
                p += 4;
                q += outStep;
              }
            }
            v128.store(target + at, sum);
          }
          for (; o < outputs; o++) {
            const at = (<usize>(group * outputs + o)) << 2;
            for (let pixel = 0; pixel < pixels; pixel++) {
              const column = left + pixel * strideWidth;
              let sum: f32 = 0;
              for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
                let p = from + <usize>((top + i) * width + column + j) * step;
                let q = w + <usize>((i * kernelWidth + j) * inputs) * outStep + at;
                for (let c = 0; c < inputs; c++) {
                  sum += load<f32>(p) * load<f32>(q);
                  p += 4;
                  q += outStep;
                }
              }
              store<f32>(target + (<usize>pixel) * outStep + at, sum);
            }
          }
        }
        ow += pixels;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function fourPixels(
  x: usize, w: usize, y: usize, top: i32, left: i32, firstRow: i32, lastRow: i32, width: i32, inputs: i32, step: usize,
  outStep: usize, kernelWidth: i32, strideWidth: i32,
): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  const next = (<usize>strideWidth) * step;
  for (let i = firstRow; i < lastRow; i++) for (let j = 0; j < kernelWidth; j++) {
    let p = x + <usize>((top + i) * width + left + j) * step;
    let q = w + <usize>((i * kernelWidth + j) * inputs) * outStep;
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
  v128.store(y + outStep, a1);
  v128.store(y + 2 * outStep, a2);
  v128.store(y + 3 * outStep, a3);
}

// dx = Σ dy·w. Each pixel gathers the taps that reach it; products of four output channels are added up together.
export function groupedInputGradient(
  dy: usize, w: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, inChannels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32, groups: i32,
): void {
  const inputs = inChannels / groups, outputs = outChannels / groups;
  const step = (<usize>inChannels) << 2, outStep = (<usize>outChannels) << 2;
  for (let n = start; n < end; n++) for (let ih = 0; ih < height; ih++) for (let iw = 0; iw < width; iw++) {
    const target = dx + <usize>((n * height + ih) * width + iw) * step;
    for (let channel = 0; channel < inChannels; channel++) {
      const group = channel / inputs, c = channel % inputs;
      const at = (<usize>(group * outputs)) << 2;
      let sums = f32x4.splat(0);
      let sum: f32 = 0;
      for (let i = 0; i < kernelHeight; i++) {
        const down = ih + paddingHeight - i;
        if (down < 0 || down % strideHeight != 0 || down / strideHeight >= outHeight) continue;
        for (let j = 0; j < kernelWidth; j++) {
          const right = iw + paddingWidth - j;
          if (right < 0 || right % strideWidth != 0 || right / strideWidth >= outWidth) continue;
          let p = dy + <usize>((n * outHeight + down / strideHeight) * outWidth + right / strideWidth) * outStep + at;
          let q = w + <usize>((i * kernelWidth + j) * inputs + c) * outStep + at;
          let o = 0;
          for (; o + 4 <= outputs; o += 4) {
            sums = multiplyAdd(v128.load(p), v128.load(q), sums);
            p += 16;
            q += 16;
          }
          for (; o < outputs; o++) {
            sum += load<f32>(p) * load<f32>(q);
            p += 4;
            q += 4;
          }
        }
      }
      const low = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1);
      const high = f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
      store<f32>(target + ((<usize>channel) << 2), low + high + sum);
    }
  }
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
