import * as tf from '@tensorflow/tfjs';
import { beforeEach, expect } from 'vitest';
import { skipOutsideSample } from './vitest-sample.ts';

// Suppresses the banner that TensorFlow.js prints in Node.
tf.enableProdMode();
// Test files share a process: each starts with the same backend.
await tf.setBackend('cpu');

/** Vitest compares tensors value by value, a million in seconds. Equal bytes are equal values; others are left to it. */
function haveEqualBytes(a: unknown, b: unknown): true | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a.constructor !== b.constructor) return undefined;
  const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0 ? true : undefined;
}

// Test files share a process and its testers.
const added = Symbol.for('localgrad/equality');
if (!Reflect.has(globalThis, added)) {
  Reflect.set(globalThis, added, true);
  expect.addEqualityTesters([haveEqualBytes]);
}

if (process.env.LOCALGRAD_TEST_SAMPLE !== undefined) beforeEach(skipOutsideSample);
