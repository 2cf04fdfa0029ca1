import type { AdamUpdate, AdamUpdateRequest } from '@localgrad/kernels';
import type { KernelContext } from './context.js';
import { elementPieces } from './elementwise.js';

export function adamUpdate({ heap, pool }: KernelContext, request: AdamUpdateRequest): AdamUpdate {
  const { value, gradient, moments, update, learningRate, epsilon, weightDecay, decoupled } = request;
  const [beta1, beta2] = request.betas;
  const next = heap.allocate(value.shape);
  const consumed = moments === undefined ? [gradient] : [moments.first, moments.second, gradient];
  const reusable = consumed.filter((tensor) => !heap.shares(tensor));
  const first = reusable[0] ?? heap.allocate(value.shape);
  const second = reusable[1] ?? heap.allocate(value.shape);
  const old = moments === undefined ? [0, 0] : [heap.pointer(moments.first), heap.pointer(moments.second)];
  const pointers = [heap.pointer(value), heap.pointer(gradient), ...old];
  const results = [next, first, second].map((tensor) => heap.pointer(tensor));
  const parts = elementPieces(value.size);
  pool.run('adam', parts.count, (piece) => [
    ...pointers,
    ...results,
    ...parts.bounds(piece),
    learningRate / (1 - beta1 ** update),
    1 - beta1,
    beta2,
    1 - beta2,
    1 / Math.sqrt(1 - beta2 ** update),
    epsilon,
    decoupled ? 0 : weightDecay,
    decoupled ? 1 - learningRate * weightDecay : 1,
  ]);
  for (const tensor of consumed) if (tensor !== first && tensor !== second) tensor.dispose();
  return { value: next, first, second };
}
