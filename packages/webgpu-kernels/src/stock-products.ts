import { productShapeOf, type StockKernel, type Transposes } from '@localgrad/kernels';
import { getKernel, type TensorInfo, util, zeros } from '@tensorflow/tfjs';

interface Call {
  readonly inputs: { readonly a: TensorInfo; readonly b: TensorInfo };
  readonly attrs: Transposes;
}

type Product = (call: Call) => TensorInfo;

/**
 * Products of matrices without values: the shaders of TensorFlow.js bind no empty buffer, an error that ends the backend. Without inner
 * values the product is 0, plus a bias if there is one.
 */
export function productKernels(): Readonly<Record<string, StockKernel>> {
  return Object.fromEntries(
    ['BatchMatMul', '_FusedMatMul'].map((name) => {
      const stock = getKernel(name, 'webgpu').kernelFunc as unknown as Product;
      return [name, (call: Call) => product(stock, call)];
    }),
  );
}

function product(stock: Product, call: Call): TensorInfo {
  const { a, b } = call.inputs;
  if (util.sizeFromShape(a.shape) > 0 && util.sizeFromShape(b.shape) > 0) return stock(call);
  const { shape } = productShapeOf(a.shape, b.shape, call.attrs);
  if (util.sizeFromShape(shape) === 0) return zeros(shape);
  // One inner value of 0 has the same product as none.
  const padded = {
    a: zeros([...a.shape.slice(0, -2), ...shape.slice(-2, -1), 1]),
    b: zeros([...b.shape.slice(0, -2), 1, ...shape.slice(-1)]),
  };
  const result = stock({
    ...call,
    inputs: { ...call.inputs, ...padded },
    attrs: { ...call.attrs, transposeA: false, transposeB: false },
  });
  padded.a.dispose();
  padded.b.dispose();
  return result;
}
