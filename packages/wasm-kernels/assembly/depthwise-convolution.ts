import { multiplyAdd } from './lanes';

// Depthwise convolutions of images start … end − 1: x [n, h, w, c], filter [kh, kw, c, m], y [n, oh, ow, c·m]. Output
// channel o is made of input channel o / m; with m = 1 four channels are worked on together.

// y = Σ x·w
export function depthwiseConvolve(
  x: usize, w: usize, y: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const step = (<usize>channels) << 2;
  const outStep = (<usize>outChannels) << 2;
  const multiplier = outChannels / channels;
  let target = y + <usize>(start * outHeight * outWidth) * outStep;
  for (let n = start; n < end; n++) {
    const image = x + <usize>(n * height * width) * step;
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      const top = oh * strideHeight - paddingHeight, left = ow * strideWidth - paddingWidth;
      const firstRow = max(0, -top), lastRow = min(kernelHeight, height - top);
      const firstColumn = max(0, -left), lastColumn = min(kernelWidth, width - left);
      let c = 0;
      if (multiplier == 1) {
        for (; c + 4 <= channels; c += 4) {
          const at = (<usize>c) << 2;
          let sum = f32x4.splat(0);
          for (let i = firstRow; i < lastRow; i++) {
            let p = image + <usize>((top + i) * width + left + firstColumn) * step + at;
            let q = w + <usize>(i * kernelWidth + firstColumn) * step + at;
            for (let j = firstColumn; j < lastColumn; j++) {
              sum = multiplyAdd(v128.load(p), v128.load(q), sum);
              p += step;
              q += step;
            }
          }
          v128.store(target + at, sum);
        }
      }
      for (; c < outChannels; c++) {
        let sum: f32 = 0;
        for (let i = firstRow; i < lastRow; i++) {
          let p = image + <usize>((top + i) * width + left + firstColumn) * step + ((<usize>(c / multiplier)) << 2);
          let q = w + <usize>(i * kernelWidth + firstColumn) * outStep + ((<usize>c) << 2);
          for (let j = firstColumn; j < lastColumn; j++) {
            sum += load<f32>(p) * load<f32>(q);
            p += step;
            q += outStep;
          }
        }
        store<f32>(target + ((<usize>c) << 2), sum);
      }
      target += outStep;
    }
  }
}

// dx = Σ dy·w
export function depthwiseInputGradient(
  dy: usize, w: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const step = (<usize>channels) << 2;
  const outStep = (<usize>outChannels) << 2;
  const multiplier = outChannels / channels;
  const size = <usize>(height * width) * step;
  let source = dy + <usize>(start * outHeight * outWidth) * outStep;
  for (let n = start; n < end; n++) {
    const image = dx + (<usize>n) * size;
    memory.fill(image, 0, size);
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      const top = oh * strideHeight - paddingHeight, left = ow * strideWidth - paddingWidth;
      const firstRow = max(0, -top), lastRow = min(kernelHeight, height - top);
      const firstColumn = max(0, -left), lastColumn = min(kernelWidth, width - left);
      for (let i = firstRow; i < lastRow; i++) for (let j = firstColumn; j < lastColumn; j++) {
        const p = image + <usize>((top + i) * width + left + j) * step;
        const q = w + <usize>(i * kernelWidth + j) * outStep;
        let c = 0;
        if (multiplier == 1) {
          for (; c + 4 <= channels; c += 4) {
            const at = (<usize>c) << 2;
            v128.store(p + at, multiplyAdd(v128.load(source + at), v128.load(q + at), v128.load(p + at)));
          }
        }
        for (; c < outChannels; c++) {
          const to = p + ((<usize>(c / multiplier)) << 2);
          const at = (<usize>c) << 2;
          store<f32>(to, load<f32>(to) + load<f32>(source + at) * load<f32>(q + at));
        }
      }
      source += outStep;
    }
  }
}

// dw = Σ x·dy: the sums of each row of outputs first.
export function depthwiseFilterGradient(
  x: usize, dy: usize, dw: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32,
  outWidth: i32, outChannels: i32, kernelHeight: i32, kernelWidth: i32, strideHeight: i32, strideWidth: i32,
  paddingHeight: i32, paddingWidth: i32,
): void {
  const step = (<usize>channels) << 2;
  const outStep = (<usize>outChannels) << 2;
  const multiplier = outChannels / channels;
  memory.fill(dw, 0, <usize>(kernelHeight * kernelWidth) * outStep);
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
        const tap = dw + <usize>(i * kernelWidth + j) * outStep;
        let c = 0;
        if (multiplier == 1) {
          for (; c + 4 <= channels; c += 4) {
            const at = (<usize>c) << 2;
            let p = first + at;
            let q = source + (<usize>left) * outStep + at;
            let sum = f32x4.splat(0);
            for (let ow = left; ow < right; ow++) {
              sum = multiplyAdd(v128.load(p), v128.load(q), sum);
              p += (<usize>strideWidth) * step;
              q += outStep;
            }
            v128.store(tap + at, f32x4.add(v128.load(tap + at), sum));
          }
        }
        for (; c < outChannels; c++) {
          const at = (<usize>c) << 2;
          let p = first + ((<usize>(c / multiplier)) << 2);
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
