import { evaluationMode, type HeadContext, type Shape3, startOfTraining, trainingMode } from '@localgrad/core';
import { registerTrainingKernels, stockKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { headCostOf } from '../cost/cost-of.js';
import { createRandom } from '../random/random.js';
import { createScope } from '../random/scope.js';
import { randomTensor } from '../testing/check-block.js';
import { LiveBytes } from '../testing/live-bytes.js';
import { headFactory } from './named-heads.js';

export function context(inputShape: Shape3, finalShape: Shape3 = [8, 8, 64]): HeadContext {
  return {
    module: 0,
    modules: 4,
    inputShape,
    moduleInputShape: inputShape,
    finalShape,
    classes: 10,
    imageShape: [32, 32, 3],
  };
}

interface Trial {
  readonly inputShape?: Shape3;
  readonly batch?: number;
}

/** What holds for every named head, on the current backend. */
export function describeHead(name: string, { inputShape = [10, 10, 4], batch = 16 }: Trial = {}): void {
  describe(name, () => {
    const build = () => headFactory(name).build(context(inputShape, [5, 5, 8]), createScope(1));
    const data = () => {
      const random = createRandom(5, name);
      const h = randomTensor([batch, ...inputShape], random) as tf.Tensor4D;
      return {
        h,
        targets: {
          labels: tf.tensor1d(
            Int32Array.from({ length: batch }, () => random.integer(10)),
            'int32',
          ),
          masks: tf.tensor3d(
            Int32Array.from({ length: batch * 32 * 32 }, () => random.integer(10)),
            [batch, 32, 32],
            'int32',
          ),
        },
      };
    };

    it('gives weighted gradients of its loss, and leaks nothing', () => {
      const head = build();
      const { h, targets } = data();
      const before = tf.memory().numTensors;
      const result = head.evaluate(h, targets, {
        mode: trainingMode,
        weight: 0.5,
        input: true,
        clock: startOfTraining,
      });
      expect(tf.memory().numTensors).toBe(before + 2 + head.parameters.length);
      expect([...result.parameters.keys()]).toEqual(expect.arrayContaining([...head.parameters]));
      const direction = randomTensor(h.shape, createRandom(1));
      const value = (amount: number) => {
        const moved = tf.tidy(() => tf.add<tf.Tensor4D>(h, tf.mul(direction, amount)));
        const { loss, input, parameters } = head.evaluate(moved, targets, {
          mode: trainingMode,
          weight: 1,
          input: false,
          clock: startOfTraining,
        });
        expect(input).toBeUndefined();
        const number = loss.dataSync()[0] as number;
        tf.dispose([moved, loss, [...parameters.values()]]);
        return number;
      };
      const along = tf.tidy(() => tf.sum(tf.mul(direction, result.input as tf.Tensor)).dataSync()[0] as number);
      const errors = [3e-3, 1e-3, 3e-4].map((step) =>
        Math.abs((0.5 * (value(step) - value(-step))) / (2 * step) - along),
      );
      expect(Math.min(...errors)).toBeLessThan(1e-2);
    });

    it('predicts its bytes', () => {
      const head = build();
      const { h, targets } = data();
      const meter = new LiveBytes();
      const unregister = registerTrainingKernels(meter.withoutTemporaries(stockKernels));
      const request = {
        mode: { training: true, statisticsUpdates: 0 },
        weight: 1,
        input: true,
        clock: startOfTraining,
      };
      const { peak } = meter.peakOf(() => head.evaluate(h, targets, request));
      unregister();
      meter.stop();
      const predicted = headCostOf(head).evaluatePeakBytes(batch);
      expect(Math.abs(peak - predicted), `${peak} for ${predicted}`).toBeLessThan(0.05 * peak);
    });

    it('evaluates and predicts without gradients', () => {
      const head = build();
      const { h, targets } = data();
      const before = tf.memory().numTensors;
      const { loss, input, parameters } = head.evaluate(h, targets, {
        mode: evaluationMode,
        weight: 1,
        input: true,
        clock: startOfTraining,
      });
      expect([input, parameters.size]).toEqual([undefined, 0]);
      const scores = head.predict?.(h) as tf.Tensor;
      const classOf: tf.Tensor = head.reads?.includes('masks') ? targets.masks : targets.labels;
      expect(scores.shape).toEqual([...classOf.shape, 10]);
      const wanted = tf.tidy(() => tf.losses.softmaxCrossEntropy(tf.oneHot(classOf, 10), scores).dataSync()[0]);
      expect(loss.dataSync()[0]).toBeCloseTo(wanted as number, 5);
      tf.dispose([loss, scores]);
      expect(tf.memory().numTensors).toBe(before);
    });
  });
}
