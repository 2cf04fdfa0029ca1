// Pooling over windows of images start … end − 1, channels last. Where padding is wider than a window, some windows do not reach the map:
// their largest value is −∞, their mean NaN.

// The part of a window that lies on the map, by its first and last cell; the last row or column stands before the first if there is none.
let firstRow: i32 = 0, lastRow: i32 = 0, firstColumn: i32 = 0, lastColumn: i32 = 0;

// @ts-ignore: decorator
@inline
function clip(row: i32, column: i32, windowHeight: i32, windowWidth: i32, height: i32, width: i32): void {
  firstRow = max(0, row);
  lastRow = max(firstRow, min(height, row + windowHeight)) - 1;
  firstColumn = max(0, column);
  lastColumn = max(firstColumn, min(width, column + windowWidth)) - 1;
}

// The largest value of each window. NaN wins: `max` of WebAssembly returns it whichever argument it is.
export function maxPool(
  x: usize, y: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32,
  windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
): void {
  const step = (<usize>channels) << 2;
  let target = y + <usize>(start * outHeight * outWidth) * step;
  for (let n = start; n < end; n++) {
    const image = x + <usize>(n * height * width) * step;
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      clip(oh * strideHeight - top, ow * strideWidth - left, windowHeight, windowWidth, height, width);
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        let best = f32x4.splat(-Infinity);
        for (let row = firstRow; row <= lastRow; row++) {
          let p = image + <usize>(row * width + firstColumn) * step + ((<usize>c) << 2);
          for (let column = firstColumn; column <= lastColumn; column++) {
            best = f32x4.max(best, v128.load(p));
            p += step;
          }
        }
        v128.store(target + ((<usize>c) << 2), best);
      }
      for (; c < channels; c++) {
        let best: f32 = -Infinity;
        for (let row = firstRow; row <= lastRow; row++) {
          let p = image + <usize>(row * width + firstColumn) * step + ((<usize>c) << 2);
          for (let column = firstColumn; column <= lastColumn; column++) {
            best = max<f32>(best, load<f32>(p));
            p += step;
          }
        }
        store<f32>(target + ((<usize>c) << 2), best);
      }
      target += step;
    }
  }
}

// dx += dy at the first largest value of each window in row-major order, or at its last NaN.
export function maxPoolGradient(
  x: usize, dy: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32,
  outWidth: i32, windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
): void {
  const step = (<usize>channels) << 2;
  const size = <usize>(height * width) * step;
  let source = dy + <usize>(start * outHeight * outWidth) * step;
  for (let n = start; n < end; n++) {
    const image = x + (<usize>n) * size;
    const gradient = dx + (<usize>n) * size;
    memory.fill(gradient, 0, size);
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      clip(oh * strideHeight - top, ow * strideWidth - left, windowHeight, windowWidth, height, width);
      if (lastRow < firstRow || lastColumn < firstColumn) {
        source += step;
        continue;
      }
      const first = firstRow * width + firstColumn;
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        const lane = (<usize>c) << 2;
        let best = v128.load(image + (<usize>first) * step + lane);
        let at = i32x4.splat(first);
        for (let row = firstRow; row <= lastRow; row++) {
          let cell = row * width + firstColumn;
          let p = image + (<usize>cell) * step + lane;
          for (let column = firstColumn; column <= lastColumn; column++) {
            const v = v128.load(p);
            const takes = v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
            best = v128.bitselect(v, best, takes);
            at = v128.bitselect(i32x4.splat(cell), at, takes);
            cell++;
            p += step;
          }
        }
        const to = gradient + lane;
        const from = source + lane;
        addTo(to + (<usize>i32x4.extract_lane(at, 0)) * step, load<f32>(from));
        addTo(to + (<usize>i32x4.extract_lane(at, 1)) * step + 4, load<f32>(from, 4));
        addTo(to + (<usize>i32x4.extract_lane(at, 2)) * step + 8, load<f32>(from, 8));
        addTo(to + (<usize>i32x4.extract_lane(at, 3)) * step + 12, load<f32>(from, 12));
      }
      for (; c < channels; c++) {
        const lane = (<usize>c) << 2;
        let best = load<f32>(image + (<usize>first) * step + lane);
        let at = first;
        for (let row = firstRow; row <= lastRow; row++) {
          let cell = row * width + firstColumn;
          for (let column = firstColumn; column <= lastColumn; column++) {
            const v = load<f32>(image + (<usize>cell) * step + lane);
            if (v > best || v != v) {
              best = v;
              at = cell;
            }
            cell++;
          }
        }
        addTo(gradient + (<usize>at) * step + lane, load<f32>(source + lane));
      }
      source += step;
    }
  }
}

// @ts-ignore: decorator
@inline
function addTo(target: usize, value: f32): void {
  store<f32>(target, load<f32>(target) + value);
}

// The mean of each window's cells that lie on the map.
export function averagePool(
  x: usize, y: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32,
  windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
): void {
  const step = (<usize>channels) << 2;
  let target = y + <usize>(start * outHeight * outWidth) * step;
  for (let n = start; n < end; n++) {
    const image = x + <usize>(n * height * width) * step;
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      clip(oh * strideHeight - top, ow * strideWidth - left, windowHeight, windowWidth, height, width);
      const cells = <f32>((lastRow - firstRow + 1) * (lastColumn - firstColumn + 1));
      let c = 0;
      for (; c + 4 <= channels; c += 4) {
        let sum = f32x4.splat(0);
        for (let row = firstRow; row <= lastRow; row++) {
          let p = image + <usize>(row * width + firstColumn) * step + ((<usize>c) << 2);
          for (let column = firstColumn; column <= lastColumn; column++) {
            sum = f32x4.add(sum, v128.load(p));
            p += step;
          }
        }
        v128.store(target + ((<usize>c) << 2), f32x4.div(sum, f32x4.splat(cells)));
      }
      for (; c < channels; c++) {
        let sum: f32 = 0;
        for (let row = firstRow; row <= lastRow; row++) {
          let p = image + <usize>(row * width + firstColumn) * step + ((<usize>c) << 2);
          for (let column = firstColumn; column <= lastColumn; column++) {
            sum += load<f32>(p);
            p += step;
          }
        }
        store<f32>(target + ((<usize>c) << 2), sum / cells);
      }
      target += step;
    }
  }
}

// The adjoint of averagePool.
export function averagePoolGradient(
  dy: usize, dx: usize, start: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32,
  windowHeight: i32, windowWidth: i32, strideHeight: i32, strideWidth: i32, top: i32, left: i32,
): void {
  const step = (<usize>channels) << 2;
  const size = <usize>(height * width) * step;
  let source = dy + <usize>(start * outHeight * outWidth) * step;
  for (let n = start; n < end; n++) {
    const gradient = dx + (<usize>n) * size;
    memory.fill(gradient, 0, size);
    for (let oh = 0; oh < outHeight; oh++) for (let ow = 0; ow < outWidth; ow++) {
      clip(oh * strideHeight - top, ow * strideWidth - left, windowHeight, windowWidth, height, width);
      const cells = <f32>((lastRow - firstRow + 1) * (lastColumn - firstColumn + 1));
      for (let row = firstRow; row <= lastRow; row++) {
        let p = gradient + <usize>(row * width + firstColumn) * step;
        for (let column = firstColumn; column <= lastColumn; column++) {
          let c = 0;
          for (; c + 4 <= channels; c += 4) {
            const at = (<usize>c) << 2;
            const share = f32x4.div(v128.load(source + at), f32x4.splat(cells));
            v128.store(p + at, f32x4.add(v128.load(p + at), share));
          }
          for (; c < channels; c++) {
            const at = (<usize>c) << 2;
            addTo(p + at, load<f32>(source + at) / cells);
          }
          p += step;
        }
      }
      source += step;
    }
  }
}
