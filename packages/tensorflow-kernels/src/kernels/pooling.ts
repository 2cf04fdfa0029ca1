import { type PoolingGeometry, type Shape4, stockKernels, type TrainingKernels } from '@localgrad/kernels';
import { dispose, pad, scalar, slice, type Tensor, type Tensor4D, tensor1d, tensor4d, tidy } from '@tensorflow/tfjs';
import type { OperationRunner } from '../native-backend.js';

type PoolingKernels = Pick<TrainingKernels, 'maxPool' | 'maxPoolGradient' | 'averagePool' | 'averagePoolGradient'>;

/** The least finite number of float32, which TensorFlow returns for windows of −∞ alone. */
const leastFloat = -3.4028234663852886e38;

/**
 * TensorFlow's pooling, on images that are padded first since it has no symmetric padding. It ignores NaN, for which there is
 * a separate test.
 */
export function poolingKernels(run: OperationRunner): PoolingKernels {
  const attributes = ({ window, stride }: PoolingGeometry) => [
    run.type('T', 'float32'),
    run.attribute('ksize', 'INT', [1, ...window, 1]),
    run.attribute('strides', 'INT', [1, ...stride, 1]),
    run.attribute('padding', 'STRING', 'VALID'),
    run.attribute('data_format', 'STRING', 'NHWC'),
  ];
  const maxPoolOf = (x: Tensor4D, geometry: PoolingGeometry) => run.one<Tensor4D>('MaxPool', [x], attributes(geometry));
  /** `there` where x is NaN; x, or `elsewhere`, at all other positions. */
  const select = (isMissing: Tensor, there: Tensor, elsewhere: Tensor) =>
    run.one<Tensor4D>('SelectV2', [isMissing, there, elsewhere], [run.type('T', 'float32')]);
  const missingIn = (x: Tensor) => run.float('IsNan', x);
  /** Maxima of windows without NaN. */
  const maximaOf = (x: Tensor4D, geometry: PoolingGeometry) => {
    const maxima = maxPoolOf(x, geometry);
    const isLeast = run.float('LessEqual', maxima, scalar(leastFloat));
    return select(isLeast, scalar(Number.NEGATIVE_INFINITY), maxima);
  };

  return {
    maxPool(x, geometry) {
      if (!isPadding(geometry)) return stockKernels.maxPool(x, geometry);
      return tidy(() => {
        const framed = frame(x, geometry, Number.NEGATIVE_INFINITY);
        const missing = maxPoolOf(select(missingIn(framed), scalar(1), scalar(0)), geometry);
        const found = run.float('Greater', missing, scalar(0));
        return select(found, scalar(Number.NaN), maximaOf(framed, geometry));
      });
    },
    maxPoolGradient(dy, x, geometry) {
      if (!isPadding(geometry)) return stockKernels.maxPoolGradient(dy, x, geometry);
      return tidy(() => {
        const framed = frame(x, geometry, Number.NEGATIVE_INFINITY);
        const ordered = select(missingIn(framed), scalar(Number.POSITIVE_INFINITY), framed);
        const inputs = [ordered, maxPoolOf(ordered, geometry), dy];
        return inside(run.one<Tensor4D>('MaxPoolGrad', inputs, attributes(geometry)), geometry, x.shape);
      });
    },
    averagePool(x, geometry) {
      if (!isPadding(geometry)) return stockKernels.averagePool(x, geometry);
      return tidy(() => {
        const means = run.one<Tensor4D>('AvgPool', [frame(x, geometry, 0)], attributes(geometry));
        const factors = paddingFactors(geometry, means.shape, x.shape);
        return factors === undefined ? means : run.float<Tensor4D>('Mul', means, factors);
      });
    },
    averagePoolGradient(dy, inputShape, geometry) {
      if (!isPadding(geometry)) return stockKernels.averagePoolGradient(dy, inputShape, geometry);
      return tidy(() => {
        const { top, bottom, left, right } = geometry.padding;
        const [batch, height, width, channels] = inputShape;
        const shape = tensor1d([batch, height + top + bottom, width + left + right, channels], 'int32');
        const factors = paddingFactors(geometry, dy.shape, inputShape);
        const weighted = factors === undefined ? dy : run.float<Tensor4D>('Mul', dy, factors);
        const framed = run.one<Tensor4D>('AvgPoolGrad', [shape, weighted], attributes(geometry));
        return inside(framed, geometry, inputShape);
      });
    },
  };
}

/** Whether the geometry only adds cells to the feature map, and omits none. */
function isPadding({ padding }: PoolingGeometry): boolean {
  return Object.values(padding).every((cells) => cells >= 0);
}

function isPadded({ padding }: PoolingGeometry): boolean {
  return Object.values(padding).some((cells) => cells > 0);
}

function frame(x: Tensor4D, geometry: PoolingGeometry, fill: number): Tensor4D {
  const { top, bottom, left, right } = geometry.padding;
  if (!isPadded(geometry)) return x;
  return pad(
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    fill,
  );
}

/** The map without its padding. Consumes its argument. */
function inside(framed: Tensor4D, geometry: PoolingGeometry, inputShape: Shape4): Tensor4D {
  if (!isPadded(geometry)) return framed;
  const { top, left } = geometry.padding;
  const map = slice(framed, [0, top, left, 0], [...inputShape]);
  dispose(framed);
  return map;
}

/** Window size ÷ number of its cells on the map, [1, outHeight, outWidth, 1]; undefined if all cells are on the map. */
function paddingFactors(
  geometry: PoolingGeometry,
  [, outHeight, outWidth]: Shape4,
  [, height, width]: Shape4,
): Tensor4D | undefined {
  if (!isPadded(geometry)) return undefined;
  const { window, stride, padding } = geometry;
  const factors = (out: number, size: number, extent: number, step: number, before: number) =>
    Array.from({ length: out }, (_, at) => {
      const start = at * step - before;
      return extent / (Math.min(size, start + extent) - Math.max(0, start));
    });
  const rows = factors(outHeight, height, window[0], stride[0], padding.top);
  const columns = factors(outWidth, width, window[1], stride[1], padding.left);
  const values = rows.flatMap((row) => columns.map((column) => row * column));
  return tensor4d(values, [1, outHeight, outWidth, 1]);
}
