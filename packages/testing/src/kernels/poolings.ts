import type { PoolingGeometry, Shape4 } from '@localgrad/kernels';
import type * as tf from '@tensorflow/tfjs';
import type { KernelCase } from './kernel-case.js';

const around = (vertical: number, horizontal = vertical) => ({
  padding: { top: vertical, bottom: vertical, left: horizontal, right: horizontal },
});

const poolings: readonly { x: Shape4; geometry: PoolingGeometry }[] = [
  { x: [3, 8, 8, 5], geometry: { window: [2, 2], stride: [2, 2], ...around(0) } },
  { x: [2, 9, 7, 4], geometry: { window: [3, 3], stride: [2, 2], ...around(1) } },
  { x: [2, 7, 5, 6], geometry: { window: [3, 2], stride: [1, 3], ...around(1, 0) } },
  { x: [1, 5, 6, 9], geometry: { window: [5, 6], stride: [1, 1], ...around(0) } },
  { x: [2, 7, 8, 3], geometry: { window: [2, 2], stride: [3, 3], ...around(0) } },
  // A window of one cell may contain −∞ alone.
  { x: [2, 5, 8, 7], geometry: { window: [1, 1], stride: [2, 2], ...around(0) } },
  // As TensorFlow pads at stride 2: nothing before the map, one cell behind it.
  {
    x: [2, 6, 8, 8],
    geometry: { window: [3, 3], stride: [2, 2], padding: { top: 0, bottom: 1, left: 0, right: 1 } },
  },
];

export const poolingCases = poolings.flatMap(({ x, geometry }) => {
  const { window, stride, padding } = geometry;
  const out = (size: number, axis: 0 | 1, border: number) =>
    Math.floor((size + border - window[axis]) / stride[axis]) + 1;
  const height = out(x[1], 0, padding.top + padding.bottom);
  const dy = [x[0], height, out(x[2], 1, padding.left + padding.right), x[3]];
  const pads = Object.values(padding).join();
  const shape = `${x.join('×')}, window ${window.join('×')}, stride ${stride.join('×')}, padding ${pads}`;
  return (['normal', 'negative', 'zero', 'tied', 'nonFinite'] as const).flatMap((kind): KernelCase[] => {
    const label = `${shape}, ${kind}`;
    return [
      {
        kernel: 'maxPool',
        label,
        inputs: { x },
        values: { x: kind },
        run: (kernels, inputs) => [kernels.maxPool(inputs.x as tf.Tensor4D, geometry)],
      },
      {
        kernel: 'maxPoolGradient',
        label,
        inputs: { dy, x },
        values: { x: kind },
        run: (kernels, inputs) => [
          kernels.maxPoolGradient(inputs.dy as tf.Tensor4D, inputs.x as tf.Tensor4D, geometry),
        ],
      },
      {
        kernel: 'averagePool',
        label,
        inputs: { x },
        values: { x: kind },
        run: (kernels, inputs) => [kernels.averagePool(inputs.x as tf.Tensor4D, geometry)],
      },
      {
        kernel: 'averagePoolGradient',
        label,
        inputs: { dy },
        values: { dy: kind },
        run: (kernels, inputs) => [kernels.averagePoolGradient(inputs.dy as tf.Tensor4D, x, geometry)],
      },
    ];
  });
});
