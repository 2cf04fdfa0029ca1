import { type Block, bytesOf, type Shape3 } from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { batched } from './convolution-unit.js';
import { asMaps, asRows } from './dense.js';
import { parameterless } from './parameterless.js';

/** Mean over height and width: [n, h, w, c] → [n, 1, 1, c]. */
export function globalAveragePool(name: string, shape: Shape3): Block {
  return parameterless({
    name,
    inputShape: shape,
    outputShape: [1, 1, shape[2]],
    reads: { input: false, output: false },
    isMeans: true,
    holdsCotangent: true,
    apply: (x) => {
      const pooled = currentKernels().globalAveragePool(x);
      const output = asMaps(pooled);
      pooled.dispose();
      return output;
    },
    pullBack: (dy) => {
      const rows = asRows(dy);
      dy.dispose();
      const dx = currentKernels().globalAveragePoolGradient(rows, batched(shape, rows.shape[0]));
      rows.dispose();
      return dx;
    },
    applyPeakBytes: (batchSize) => 4 * batchSize * shape[2],
    pullBackPeakBytes: (batchSize) => bytesOf(shape, batchSize),
  });
}
