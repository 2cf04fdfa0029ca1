import type { PoolingGeometry, Shape4, TrainingKernels } from '@localgrad/kernels';
import type { Tensor4D } from '@tensorflow/tfjs';
import { isMissing, minusInfinityBits } from '../missing.js';
import { runElementwise, type WebGpuBackend } from '../program.js';

type PoolingKernels = Pick<TrainingKernels, 'maxPool' | 'maxPoolGradient' | 'averagePool' | 'averagePoolGradient'>;

export function poolingKernels(backend: WebGpuBackend): PoolingKernels {
  return {
    maxPool: (...values) => maxPool(backend, ...values),
    maxPoolGradient: (...values) => maxPoolGradient(backend, ...values),
    averagePool: (...values) => averagePool(backend, ...values),
    averagePoolGradient: (...values) => averagePoolGradient(backend, ...values),
  };
}

/** Sizes of the feature map, the output and the windows. */
function integers(
  [, height, width, channels]: Shape4,
  [outHeight, outWidth]: readonly [number, number],
  { window, stride, padding }: PoolingGeometry,
) {
  return {
    height,
    width,
    channels,
    outHeight,
    outWidth,
    windowHeight: window[0],
    windowWidth: window[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    top: padding.top,
    left: padding.left,
  };
}

function outputSize([, height, width]: Shape4, { window, stride, padding }: PoolingGeometry): [number, number] {
  return [
    Math.floor((height + padding.top + padding.bottom - window[0]) / stride[0]) + 1,
    Math.floor((width + padding.left + padding.right - window[1]) / stride[1]) + 1,
  ];
}

const declarations = `${isMissing}
  // First row, first column, last row and last column of the part of a window that lies on the map.
  fn cellsOf(row : i32, column : i32) -> vec4<i32> {
    let start = vec2<i32>(row * uniforms.strideHeight - uniforms.top, column * uniforms.strideWidth - uniforms.left);
    let size = vec2<i32>(uniforms.windowHeight, uniforms.windowWidth);
    return vec4<i32>(
      max(start, vec2<i32>(0)), min(start + size, vec2<i32>(uniforms.height, uniforms.width)) - vec2<i32>(1));
  }`;

/** WGSL: the position of an element of the output. */
const outputPlace = `
  let channel = index % uniforms.channels;
  let column = (index / uniforms.channels) % uniforms.outWidth;
  let row = (index / (uniforms.channels * uniforms.outWidth)) % uniforms.outHeight;
  let image = index / (uniforms.channels * uniforms.outWidth * uniforms.outHeight);
  let cells = cellsOf(row, column);
  let start = image * uniforms.height * uniforms.width;`;

const valueAt = (row: string, column: string) =>
  `x[(start + ${row} * uniforms.width + ${column}) * uniforms.channels + channel]`;

/** Sets `best` to the bits of a window's largest value: as bits, NaN survives where it may not as a number. */
const findLargest = `
  var best = bitcast<u32>(${valueAt('cells.x', 'cells.y')});
  var bestCell = cells.x * uniforms.width + cells.y;
  for (var r = cells.x; r <= cells.z; r++) {
    for (var c = cells.y; c <= cells.w; c++) {
      let value = ${valueAt('r', 'c')};
      if (isMissing(value) || (!isMissing(bitcast<f32>(best)) && value > bitcast<f32>(best))) {
        best = bitcast<u32>(value);
        bestCell = r * uniforms.width + c;
      }
    }
  }`;

function maxPool(backend: WebGpuBackend, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  const size = outputSize(x.shape, geometry);
  return runElementwise<Tensor4D>(backend, {
    key: 'maxPool',
    inputs: { x },
    outputShape: [x.shape[0], ...size, x.shape[3]],
    integers: { ...integers(x.shape, size, geometry), minusInfinityBits },
    declarations,
    body: `${outputPlace}${findLargest}
      // A window of padding alone, which only TensorFlow.js pooling has.
      if (cells.x > cells.z || cells.y > cells.w) { best = bitcast<u32>(uniforms.minusInfinityBits); }
      result[index] = bitcast<f32>(best);`,
  });
}

/** For each cell, adds up dy of the windows whose maximum it is. */
function maxPoolGradient(backend: WebGpuBackend, dy: Tensor4D, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  return gather(backend, 'maxPoolGradient', { dy, x }, dy, x.shape, geometry, (at) => {
    return `${findLargest}
      if (bestCell == ownCell) { total += dy[${at}]; }`;
  });
}

function averagePool(backend: WebGpuBackend, x: Tensor4D, geometry: PoolingGeometry): Tensor4D {
  const size = outputSize(x.shape, geometry);
  return runElementwise<Tensor4D>(backend, {
    key: 'averagePool',
    inputs: { x },
    outputShape: [x.shape[0], ...size, x.shape[3]],
    integers: integers(x.shape, size, geometry),
    declarations,
    body: `${outputPlace}
      var total = 0.0;
      for (var r = cells.x; r <= cells.z; r++) {
        for (var c = cells.y; c <= cells.w; c++) { total += ${valueAt('r', 'c')}; }
      }
      result[index] = total / f32((cells.z - cells.x + 1) * (cells.w - cells.y + 1));`,
  });
}

function averagePoolGradient(
  backend: WebGpuBackend,
  dy: Tensor4D,
  inputShape: Shape4,
  geometry: PoolingGeometry,
): Tensor4D {
  return gather(backend, 'averagePoolGradient', { dy }, dy, inputShape, geometry, (at) => {
    return `total += dy[${at}] / f32((cells.z - cells.x + 1) * (cells.w - cells.y + 1));`;
  });
}

/** For each cell of the map, visits the windows that contain it, in order, and adds up their contributions. */
function gather(
  backend: WebGpuBackend,
  key: string,
  inputs: Readonly<Record<string, Tensor4D>>,
  dy: Tensor4D,
  inputShape: Shape4,
  geometry: PoolingGeometry,
  visit: (at: string) => string,
): Tensor4D {
  return runElementwise<Tensor4D>(backend, {
    key,
    inputs,
    outputShape: inputShape,
    integers: integers(inputShape, [dy.shape[1], dy.shape[2]], geometry),
    declarations,
    body: `
      let channel = index % uniforms.channels;
      let ownColumn = (index / uniforms.channels) % uniforms.width;
      let ownRow = (index / (uniforms.channels * uniforms.width)) % uniforms.height;
      let image = index / (uniforms.channels * uniforms.width * uniforms.height);
      let ownCell = ownRow * uniforms.width + ownColumn;
      let start = image * uniforms.height * uniforms.width;
      let firstRow = max(0, (ownRow + uniforms.top - uniforms.windowHeight + uniforms.strideHeight) / uniforms.strideHeight);
      let lastRow = min(uniforms.outHeight - 1, (ownRow + uniforms.top) / uniforms.strideHeight);
      let firstColumn = max(0, (ownColumn + uniforms.left - uniforms.windowWidth + uniforms.strideWidth) / uniforms.strideWidth);
      let lastColumn = min(uniforms.outWidth - 1, (ownColumn + uniforms.left) / uniforms.strideWidth);
      var total = 0.0;
      for (var row = firstRow; row <= lastRow; row++) {
        for (var column = firstColumn; column <= lastColumn; column++) {
          let cells = cellsOf(row, column);
          ${visit('((image * uniforms.outHeight + row) * uniforms.outWidth + column) * uniforms.channels + channel')}
        }
      }
      result[index] = total;`,
  });
}
