import { backboneFactory } from '@localgrad/backbones';
import type { Shape3 } from '@localgrad/core';
import { MemoryMeter } from '@localgrad/kernels';
import { createScope } from '@localgrad/nn/random';
import { registerComposedFilterGradient } from '@localgrad/wasm-kernels';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { createStockTape, randomBatch } from './stock-tape.js';

/** What the stock tape trains. */
export interface StockTapeNetwork {
  readonly backbone: string;
  readonly width: number;
  readonly batch: number;
  readonly image: Shape3;
  readonly classes: number;
}

/** Stock TensorFlow.js on its wasm backend, with the one missing kernel composed from stock operations. */
export async function startStockTapeStep({ backbone, width, batch, image, classes }: StockTapeNetwork) {
  await tf.setBackend('wasm');
  registerComposedFilterGradient();
  const meter = new MemoryMeter();
  const scope = createScope(1);
  const { blocks, classifier } = backboneFactory(backbone, { width }).build({ inputShape: image, classes, scope });
  const weights = [...blocks.flatMap(({ block }) => block.parameters), ...classifier.parameters];
  const tape = createStockTape(weights, { learningRate: 0.01 });
  for (const parameter of scope.all().values()) parameter.dispose();
  const { images, labels } = randomBatch(batch, image, classes);
  return async () => {
    meter.reset();
    const start = performance.now();
    const loss = tape.step(images, labels);
    await loss.data();
    const milliseconds = performance.now() - start;
    loss.dispose();
    return { milliseconds, peakBytes: meter.peakBytes, stepBytes: null };
  };
}
