import {
  at,
  type BackboneFactory,
  type Block,
  buildBackbone,
  createNetwork,
  evaluationMode,
  resolvePartition,
  trainingMode,
} from '@localgrad/core';
import { networkForImages, predict } from '@localgrad/engine';
import { sequential } from '@localgrad/nn/blocks';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { checkBlockGradients } from './gradients/tensor-checks.js';
import { perturb } from './random-tensors.js';
import { defaultTimeout, type GradientSuiteOptions, useBackend } from './suite.js';
import { distance, read, readAll } from './trial.js';

export interface BackboneSuiteOptions extends GradientSuiteOptions {
  /** Shape of the images; default 8×8×3. Small images make the suite fast. */
  readonly inputShape?: readonly [number, number, number];
  /** Default 4. */
  readonly classes?: number;
}

/**
 * Contract of a backbone: a JSON config, unique names, equal weights for equal seeds, blocks with matching shapes, the
 * same function for every partition, copies with new weights, correct gradients; with a `factory` and label maps, images of any size.
 */
export function describeBackbone(
  name: string,
  create: () => BackboneFactory,
  options: BackboneSuiteOptions = {},
): void {
  const { inputShape = [8, 8, 3], classes = 4, gradients = {}, timeout = defaultTimeout } = options;
  const build = (seed = 1) => {
    const scope = createScope(seed);
    return { scope, backbone: buildBackbone(create(), { inputShape, classes, scope }) };
  };
  const draw = (seed: number, shape: readonly [number, number, number] = inputShape, batch = 6) => {
    const random = createRandom(seed, 'images');
    const values = Float32Array.from({ length: batch * shape[0] * shape[1] * shape[2] }, () => random.normal());
    return tf.tensor4d(values, [batch, ...shape]);
  };

  describe(`conformance of backbone ${name}`, { timeout }, () => {
    useBackend();

    it('has a JSON config', () => {
      const { config } = create();
      expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    });

    it('has unique block and weight names, and equal initial weights for equal seeds', async () => {
      const [first, second, other] = [build(), build(), build(2)];
      const values = ({ scope }: ReturnType<typeof build>) =>
        readAll([...scope.all()].map(([key, { value }]) => [key, value] as const));
      expect(new Set(first.backbone.blocks.map(({ reference }) => String(reference))).size).toBe(
        first.backbone.blocks.length,
      );
      expect(new Set(first.backbone.blocks.map(({ block }) => block.name)).size).toBe(first.backbone.blocks.length);
      expect(await values(first)).toEqual(await values(second));
      expect(await values(first)).not.toEqual(await values(other));
    });

    it('has blocks with matching shapes, from the image to the classifier', () => {
      const { backbone } = build();
      let shape: readonly number[] = backbone.inputShape;
      for (const { block } of backbone.blocks) {
        expect(block.inputShape, block.name).toEqual(shape);
        shape = block.outputShape;
      }
      expect(backbone.classifier.inputShape).toEqual(shape);
      const x = draw(1);
      const scores = predict(createNetwork(backbone, [backbone.blocks.length]), x).shape;
      // One row of scores per image; other targets than labels may have one per pixel.
      const between = (backbone.classifier.reads ?? ['labels']).includes('labels') ? [] : scores.slice(1, -1);
      expect(scores).toEqual([6, ...between, classes]);
    });

    it('computes the same function for every partition', async () => {
      const { backbone } = build();
      const x = draw(2);
      const whole = await read(predict(createNetwork(backbone, [backbone.blocks.length]), x));
      for (let modules = 2; modules <= backbone.blocks.length; modules++) {
        const network = createNetwork(backbone, resolvePartition(backbone.blocks, { modules }));
        let h = x;
        for (const { blocks } of network.modules) h = sequential('module', blocks).forward(h, evaluationMode).output;
        const logits = backbone.classifier.predict?.(h) as tf.Tensor;
        expect(await read(logits), `${modules} modules`).toEqual(whole);
      }
    });

    it('replicates its blocks with new weights of the same shapes', () => {
      const { backbone } = build();
      const scope = createScope(9);
      for (const [index, { block }] of backbone.blocks.entries()) {
        const copy = block.replicate(scope.scope(`copy${index}`));
        const shapes = (one: Block) =>
          [...one.parameters, ...one.statistics].map(({ kind, shape }) => [kind, [...shape]]);
        expect(shapes(copy)).toEqual(shapes(block));
        expect([copy.inputShape, copy.outputShape]).toEqual([block.inputShape, block.outputShape]);
        for (const parameter of copy.parameters) expect(block.parameters).not.toContain(parameter);
      }
    });

    it('shares its weights with a network for images of another size, if it predicts label maps and names its factory', async () => {
      const { backbone } = build();
      if (backbone.factory === undefined || backbone.classifier.measureProbabilities === undefined) return;
      const [height, width, channels] = inputShape;
      const larger = [height + 3, 2 * width, channels] as const;
      const tensors = tf.memory().numTensors;
      const sized = networkForImages(createNetwork(backbone, [backbone.blocks.length]), larger);
      expect(tf.memory().numTensors).toBe(tensors);
      const other = buildBackbone(create(), { inputShape: larger, classes, scope: createScope(1) });
      const x = draw(7, larger, 2);
      const expected = await read(predict(createNetwork(other, [other.blocks.length]), x));
      expect(await read(predict(sized, x))).toEqual(expected);
    });

    it('has correct gradients in every block, and leaks no tensors', async () => {
      const { backbone } = build();
      for (const { block } of backbone.blocks) {
        perturb(block.parameters, createRandom(1));
        const before = tf.memory().numTensors;
        await checkBlockGradients(block, trainingMode, { ...gradients, batch: 6 });
        expect(tf.memory().numTensors, `tensors after ${block.name}`).toBe(before);
      }
    });

    it('repeats a forward pass bit-identically', async () => {
      const { backbone } = build();
      const x = draw(6);
      const first = at(backbone.blocks, 0, 'block').block;
      const run = () => read(first.forward(x, trainingMode).output);
      expect(distance(await run(), await run())).toBe(0);
    });
  });
}
