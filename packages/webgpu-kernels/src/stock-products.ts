import type { StockKernel } from '@localgrad/kernels';
import { broadcast_util, getKernel, type TensorInfo, util, zeros } from '@tensorflow/tfjs';

interface Call {
  readonly inputs: { readonly a: TensorInfo; readonly b: TensorInfo };
  readonly attrs: { readonly transposeA: boolean; readonly transposeB: boolean };
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
  const { transposeA, transposeB } = call.attrs;
  const [rows = 0, inner = 0] = transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2);
  const [paired = 0, columns = 0] = transposeB ? b.shape.slice(-2).reverse() : b.shape.slice(-2);
  util.assert(
    inner === paired,
    () => `Error in matMul: inner sizes ${inner} and ${paired} of shapes ${a.shape} and ${b.shape} must match.`,
  );
  const [left, right] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const shape = [...broadcast_util.assertAndGetBroadcastShape(left, right), rows, columns];
  if (util.sizeFromShape(shape) === 0) return zeros(shape);
  // One inner value of 0 has the same product as none.
  const padded = { a: zeros([...left, rows, 1]), b: zeros([...right, 1, columns]) };
  const result = stock({
    ...call,
    inputs: { ...call.inputs, ...padded },
    attrs: { ...call.attrs, transposeA: false, transposeB: false },
  });
  padded.a.dispose();
  padded.b.dispose();
  return result;
}
