import { owned, type StockKernel } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { borrowed, type Call, fromStock, type Stock } from './calls.js';

/** What the backend computes right of a function of one tensor, or of two of the same dtype. */
interface Elementwise {
  readonly computes: readonly tf.DataType[];
  readonly result: tf.DataType | 'input';
}

const numbers = ['float32', 'int32'] as const;
const floats = ['float32'] as const;

/** Kernels that read, or write, four bytes per element of other dtypes as float32, or leave their output as it was. */
const elementwise: Readonly<Record<string, Elementwise>> = {
  ...Object.fromEntries(
    ['Abs', 'Neg', 'Round', 'Selu', 'Step', 'Square'].map((name) => [
      name,
      { computes: numbers, result: 'input' } as const,
    ]),
  ),
  ...Object.fromEntries(['Exp', 'LeakyRelu'].map((name) => [name, { computes: numbers, result: 'float32' } as const])),
  ...Object.fromEntries(
    [
      ...['Acos', 'Acosh', 'Asin', 'Asinh', 'Atan', 'Atan2', 'Atanh', 'Ceil', 'Expm1', 'Floor', 'Log1p', 'Reciprocal'],
      ...['ResizeNearestNeighbor', 'Sinh', 'Softplus'],
    ].map((name) => [name, { computes: floats, result: 'input' } as const]),
  ),
  ...Object.fromEntries(
    ['IsFinite', 'IsInf', 'IsNan'].map((name) => [name, { computes: floats, result: 'bool' } as const]),
  ),
};

interface Reduction {
  /** Its value over no elements; the backend's own is uninitialized memory. */
  readonly ofNothing: number;
  readonly computesBool: boolean;
  /** Default: the input's dtype. */
  readonly resultOf?: (input: tf.DataType) => tf.DataType;
}

const reductions: Readonly<Record<string, Reduction>> = {
  Sum: { ofNothing: 0, computesBool: false },
  Mean: { ofNothing: 0, computesBool: true, resultOf: () => 'float32' },
  Prod: { ofNothing: 1, computesBool: false },
  Max: { ofNothing: Number.NaN, computesBool: false },
  Min: { ofNothing: Number.NaN, computesBool: false },
  All: { ofNothing: 1, computesBool: true },
  Any: { ofNothing: 0, computesBool: true },
};

/**
 * The backend's kernels that are wrong for some dtypes, or for tensors without elements: they read bool or int32 as float32,
 * ignore the requested dtype, return uninitialized memory, write beyond their output, trap, or never end.
 */
export function dtypeKernels(): Record<string, StockKernel> {
  return {
    ...fromStock(Object.keys(elementwise), (own, name) => converting(own, elementwise[name] as Elementwise)),
    ...fromStock(Object.keys(reductions), (own, name) => reduction(own, reductions[name] as Reduction)),
    ...fromStock(['TopK'], topK),
    ...fromStock(['Cast'], toBool),
    ...fromStock(['OneHot'], oneHot),
    ...fromStock(['StridedSlice'], stridedSlice),
    ...fromStock(['GatherV2'], gather),
    ...fromStock(['Reverse'], reverse),
    ...fromStock(['Transpose'], transpose),
    ...fromStock(['ArgMax', 'ArgMin'], argument),
    ...fromStock(['Select'], select),
  };
}

const sizeOf = ({ shape }: tf.TensorInfo) => tf.util.sizeFromShape(shape);

/** The input under whatever name: `x`, or `images`. */
function inputOf({ inputs }: Call): [name: string, input: tf.TensorInfo] {
  return Object.entries(inputs)[0] as [string, tf.TensorInfo];
}

function withInput(call: Call, name: string, input: tf.TensorInfo): Call {
  return { ...call, inputs: { ...call.inputs, [name]: input } };
}

/** Computes with int32, and returns the result as the input's dtype. */
function asIntegers(stock: Stock, call: Call, name: string, x: tf.TensorInfo): tf.TensorInfo {
  return tf.tidy(() => tf.cast(owned(stock(withInput(call, name, tf.cast(borrowed(x), 'int32')))), x.dtype));
}

function converting(stock: Stock, { computes, result }: Elementwise): StockKernel {
  return (call: Call) => {
    const [, x] = inputOf(call);
    if (computes.includes(x.dtype)) return stock(call);
    return tf.tidy(() => {
      const floats = Object.entries(call.inputs).map(([name, input]) => [name, tf.cast(borrowed(input), 'float32')]);
      const output = owned(stock({ ...call, inputs: Object.fromEntries(floats) }));
      if (result !== 'input') return tf.cast(output, result);
      return tf.cast(tf.cast(output, 'int32'), x.dtype);
    });
  };
}

/** Products and extrema of bool are those of int32, as a bool. */
function reduction(stock: Stock, { ofNothing, computesBool, resultOf = (dtype) => dtype }: Reduction): StockKernel {
  return (call: Call) => {
    const [name, x] = inputOf(call);
    if (sizeOf(x) === 0) return reduceNothing(call, x, { ofNothing, dtype: resultOf(x.dtype) });
    return x.dtype !== 'bool' || computesBool ? stock(call) : asIntegers(stock, call, name, x);
  };
}

function reduceNothing(
  { attrs }: Call,
  x: tf.TensorInfo,
  { ofNothing, dtype }: { readonly ofNothing: number; readonly dtype: tf.DataType },
): tf.TensorInfo {
  const axes = tf.util.parseAxisParam((attrs.axis ?? attrs.reductionIndices) as number[], x.shape);
  const [shape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
  const kept = attrs.keepDims === true ? tf.backend_util.expandShapeToKeepDim(shape, axes) : shape;
  return tf.fill(kept, ofNothing, dtype as tf.NumericDataType);
}

function topK(stock: Stock): StockKernel {
  return ((call: Call) => {
    const [name, x] = inputOf(call);
    if (x.dtype !== 'bool') return stock(call);
    return tf.tidy(() => {
      const [values, indices] = stock(
        withInput(call, name, tf.cast(borrowed(x), 'int32')),
      ) as unknown as tf.TensorInfo[];
      return [tf.cast(owned(values as tf.TensorInfo), 'bool'), indices] as tf.Tensor[];
    });
  }) as unknown as StockKernel;
}

/** To bool, the backend takes the last byte of the integer: 0.5 and 256 become false. */
function toBool(stock: Stock): StockKernel {
  return (call: Call) => {
    const [, x] = inputOf(call);
    if (call.attrs.dtype !== 'bool' || x.dtype === 'bool') return stock(call);
    return tf.tidy(() => tf.notEqual(borrowed(x), tf.scalar(0, x.dtype as tf.NumericDataType)));
  };
}

/** The backend writes int32 into outputs of any dtype. */
function oneHot(stock: Stock): StockKernel {
  return (call: Call) => {
    const { dtype, onValue, offValue } = call.attrs as Readonly<{
      dtype: tf.NumericDataType;
      onValue: number;
      offValue: number;
    }>;
    if (dtype === 'int32') return stock(call);
    return tf.tidy(() => {
      const hot = owned(stock({ ...call, attrs: { ...call.attrs, dtype: 'int32', onValue: 1, offValue: 0 } }));
      return tf.where(tf.cast(hot, 'bool'), tf.scalar(onValue, dtype), tf.scalar(offValue, dtype));
    });
  };
}

/** The backend copies four bytes per element, and calls the result float32. */
function stridedSlice(stock: Stock): StockKernel {
  return (call: Call) => {
    const [name, x] = inputOf(call);
    if (x.dtype === 'float32') return stock(call);
    const sliceIntegers: Stock = (integers) => {
      const output = stock(integers);
      call.backend.dataIdMap.get(output.dataId).dtype = 'int32';
      return { ...output, dtype: 'int32' };
    };
    return x.dtype === 'int32' ? sliceIntegers(call) : asIntegers(sliceIntegers, call, name, x);
  };
}

/** Without elements, the backend returns its own four axes instead of those of the result, and never frees the indices. */
function gather(stock: Stock): StockKernel {
  return (call: Call) => {
    const { x, indices } = call.inputs as Readonly<Record<'x' | 'indices', tf.TensorInfo>>;
    if (sizeOf(x) > 0) return stock(call);
    const { axis, batchDims } = call.attrs as Readonly<{ axis: number; batchDims: number }>;
    const parsed = tf.util.parseAxisParam(axis, x.shape)[0] as number;
    const length = x.shape[parsed] as number;
    for (const index of tf.backend().readSync(indices.dataId) as Int32Array) {
      tf.util.assert(
        index >= 0 && index < length,
        () => `GatherV2: the index value ${index} is not in [0, ${length - 1}]`,
      );
    }
    const { segment_util: segments } = tf.backend_util;
    const { outputShape } = segments.collectGatherOpShapeInfo(borrowed(x), borrowed(indices), parsed, batchDims);
    return tf.zeros(outputShape, x.dtype as tf.NumericDataType);
  };
}

/** Without elements, the backend's never ends; of bool, it moves four bytes per element. */
function reverse(stock: Stock): StockKernel {
  return (call: Call) => {
    const [name, x] = inputOf(call);
    if (sizeOf(x) === 0) return tf.zeros(x.shape, x.dtype as tf.NumericDataType);
    return x.dtype !== 'bool' ? stock(call) : asIntegers(stock, call, name, x);
  };
}

/** Without elements, the backend's traps, after which the backend is unusable. */
function transpose(stock: Stock): StockKernel {
  return (call: Call) => {
    const [, x] = inputOf(call);
    if (sizeOf(x) > 0) return stock(call);
    const shape = (call.attrs.perm as number[]).map((axis) => x.shape[axis] as number);
    return tf.zeros(shape, x.dtype as tf.NumericDataType);
  };
}

/** Without elements, the backend's trap. */
function argument(stock: Stock): StockKernel {
  return (call: Call) => {
    const [, x] = inputOf(call);
    if (sizeOf(x) > 0) return stock(call);
    const axes = tf.util.parseAxisParam(call.attrs.axis as number, x.shape);
    const [shape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    return tf.zeros(shape, 'int32');
  };
}

/** The backend copies four bytes per element into a tensor of the first choice's dtype. */
function select(stock: Stock): StockKernel {
  return (call: Call) => {
    const { t, e } = call.inputs as Readonly<Record<'t' | 'e', tf.TensorInfo>>;
    const dtype = tf.upcastType(t.dtype, e.dtype);
    if (t.dtype === e.dtype && dtype !== 'bool') return stock(call);
    const computed = dtype === 'bool' ? 'int32' : dtype;
    return tf.tidy(() => {
      const choices = { t: tf.cast(borrowed(t), computed), e: tf.cast(borrowed(e), computed) };
      return tf.cast(owned(stock({ ...call, inputs: { ...call.inputs, ...choices } })), dtype);
    });
  };
}
