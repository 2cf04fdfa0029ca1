import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { runElementwise, type WebGpuBackend } from '../program.js';

export function globalAveragePool(backend: WebGpuBackend, x: Tensor4D): Tensor2D {
  const [batch, height, width, channels] = x.shape;
  return runElementwise<Tensor2D>(backend, {
    key: 'globalAveragePool',
    inputs: { x },
    outputShape: [batch, channels],
    integers: { area: height * width, channels },
    body: `
      let start = (index / uniforms.channels) * uniforms.area * uniforms.channels + index % uniforms.channels;
      var total = 0.0;
      for (var i = 0; i < uniforms.area; i++) { total += x[start + i * uniforms.channels]; }
      result[index] = total / f32(uniforms.area);`,
  });
}

export function globalAveragePoolGradient(
  backend: WebGpuBackend,
  dy: Tensor2D,
  inputShape: readonly [number, number, number, number],
): Tensor4D {
  const [, height, width, channels] = inputShape;
  return runElementwise<Tensor4D>(backend, {
    key: 'globalAveragePoolGradient',
    inputs: { dy },
    outputShape: inputShape,
    integers: { area: height * width, channels },
    body: `
      let image = index / (uniforms.area * uniforms.channels);
      result[index] = dy[image * uniforms.channels + index % uniforms.channels] / f32(uniforms.area);`,
  });
}
