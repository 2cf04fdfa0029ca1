import { type Block, evaluationMode, type Mode, type ParameterScope, trainingMode } from '@localgrad/core';
import { measuredBlockCost } from '@localgrad/nn/cost';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { checkBlockGradients } from './gradients/tensor-checks.js';
import { perturb, randomBatch } from './random-tensors.js';
import { defaultTimeout, type GradientSuiteOptions, useBackend } from './suite.js';
import { read, readAll } from './trial.js';

export interface BlockSuiteOptions extends GradientSuiteOptions {
  /** Samples per batch; default 3. */
  readonly batch?: number;
  /** Maximum relative difference between declared and measured residual bytes; default 0.1. */
  readonly costTolerance?: number;
}

/**
 * Contract of a block: shapes and names, gradients compared with finite differences, every combination of requested
 * results, repeated forward passes and noise, statistics, tensor ownership, and the cost if it is declared.
 *
 * @param create builds the block in a scope
 */
export function describeBlock(
  name: string,
  create: (scope: ParameterScope) => Block,
  options: BlockSuiteOptions = {},
): void {
  const { timeout = defaultTimeout, batch = 3, costTolerance = 0.1, gradients = {} } = options;
  const noisy = (step: number): Mode => ({ ...trainingMode, noise: { seed: 7, step, part: 0 } });
  const build = (seed = 1) => {
    const scope = createScope(seed);
    const block = create(scope.scope('block'));
    const values = () => readAll([...scope.all()].map(([key, { value }]) => [key, value] as const));
    const dispose = () => {
      for (const parameter of scope.all().values()) parameter.dispose();
    };
    return { scope, block, values, dispose };
  };
  const copy = async (tensor: tf.Tensor4D) => tf.tensor4d(await read(tensor), tensor.shape);

  describe(`conformance of block ${name}`, { timeout }, () => {
    useBackend();

    it('has unique parameter names within its scope, and equal initial values for equal seeds', async () => {
      const [first, second] = [build(), build()];
      const owned = [...first.block.parameters, ...first.block.statistics];
      expect(new Set(owned.map((parameter) => parameter.name)).size).toBe(owned.length);
      for (const parameter of owned) expect(parameter.name).toMatch(/^block\./);
      for (const { kind } of first.block.parameters) expect(['weight', 'frozen']).toContain(kind);
      for (const { kind } of first.block.statistics) expect(kind).toBe('statistic');
      expect(await first.values()).toEqual(await second.values());
      first.dispose();
      second.dispose();
    });

    it('returns outputs of its outputShape for any batch size, in training and evaluation', () => {
      const { block, dispose } = build();
      for (const size of [1, batch]) {
        for (const mode of [trainingMode, evaluationMode]) {
          const x = randomBatch(block.inputShape, size, 1);
          const pass = block.forward(x, mode);
          expect(pass.output.shape).toEqual([size, ...block.outputShape]);
          pass.release();
          tf.dispose([pass.output, x]);
        }
      }
      dispose();
    });

    it('has correct gradients, with and without noise', async () => {
      const { block, dispose } = build();
      perturb(block.parameters, createRandom(1));
      await checkBlockGradients(block, trainingMode, { ...gradients, batch });
      await checkBlockGradients(block, noisy(1), { ...gradients, batch });
      dispose();
    });

    it('returns the requested results, equal in each VJP of a pass, and leaks no tensors', async () => {
      const { block, dispose } = build();
      const weights = block.parameters.filter(({ kind }) => kind === 'weight');
      const x = randomBatch(block.inputShape, batch, 1);
      const cotangent = randomBatch(block.outputShape, batch, 2);
      const before = tf.memory().numTensors;
      const pass = block.forward(x, noisy(1));
      const seen = new Map<string, Float32Array>();
      const wants = [
        { input: true, parameters: false, release: false },
        { input: false, parameters: true, release: false },
        { input: false, parameters: false, release: false },
        { input: true, parameters: true, release: true },
      ];
      for (const want of wants) {
        const label = JSON.stringify(want);
        const { input, parameters } = block.vjp(pass, await copy(cotangent), want);
        expect(input !== undefined, `cotangent of the input for ${label}`).toBe(want.input);
        const allowed = want.parameters ? weights : [];
        for (const parameter of parameters.keys()) {
          expect(allowed, `'${parameter.name}' has a gradient for ${label}`).toContain(parameter);
        }
        const results = [...parameters].map(([parameter, gradient]) => [parameter.name, gradient] as const);
        for (const [key, tensor] of input === undefined ? results : [['input', input] as const, ...results]) {
          const values = await read(tensor);
          const earlier = seen.get(key);
          if (earlier !== undefined) expect(values, `'${key}' in another VJP`).toEqual(earlier);
          seen.set(key, values);
        }
        tf.dispose([...(input === undefined ? [] : [input]), ...parameters.values()]);
      }
      expect(x.isDisposed, 'the input is borrowed').toBe(false);
      pass.release();
      pass.output.dispose();
      expect(tf.memory().numTensors, 'tensors after release').toBe(before);
      tf.dispose([x, cotangent]);
      dispose();
    });

    it('frees a pass released without a VJP, and stores nothing in evaluation mode', () => {
      const { block, dispose } = build();
      const x = randomBatch(block.inputShape, batch, 1);
      // Statistics are reassigned, so the number of tensors does not change.
      const before = tf.memory().numTensors;
      for (const mode of [trainingMode, evaluationMode]) {
        const pass = block.forward(x, mode);
        if (!mode.training) expect(tf.memory().numTensors).toBe(before + 1);
        pass.release();
        pass.release();
        expect(pass.output.isDisposed, 'the output belongs to the caller').toBe(false);
        pass.output.dispose();
        expect(tf.memory().numTensors).toBe(before);
      }
      x.dispose();
      dispose();
    });

    it('repeats a forward pass bit-identically, without changing statistics or weights', async () => {
      const { block, values, dispose } = build();
      const x = randomBatch(block.inputShape, batch, 1);
      const run = async (mode: Mode) => {
        const pass = block.forward(x, mode);
        pass.release();
        const output = await read(pass.output);
        pass.output.dispose();
        return output;
      };
      const first = await run(noisy(4));
      const between = await values();
      expect(await run({ ...noisy(4), statisticsUpdates: 0 })).toEqual(first);
      expect(await values()).toEqual(between);
      const evaluated = await run(evaluationMode);
      expect(await run({ ...evaluationMode, noise: { seed: 1, step: 1, part: 0 } })).toEqual(evaluated);
      expect(await values()).toEqual(between);
      x.dispose();
      dispose();
    });

    it('replicates with its own parameters', () => {
      const { block, dispose } = build();
      const scope = createScope(9);
      const twin = block.replicate(scope.scope('twin'));
      const outline = (one: Block) => [...one.parameters, ...one.statistics].map(({ kind, shape }) => [kind, ...shape]);
      expect(outline(twin)).toEqual(outline(block));
      expect([twin.inputShape, twin.outputShape]).toEqual([block.inputShape, block.outputShape]);
      for (const parameter of twin.parameters) expect(parameter.name).toMatch(/^twin\./);
      for (const parameter of scope.all().values()) parameter.dispose();
      dispose();
    });

    it('computes the same as its replica with the same values', async () => {
      const { block, dispose } = build();
      perturb(block.parameters, createRandom(1));
      const scope = createScope(9);
      const twin = block.replicate(scope.scope('twin'));
      const parts = (one: Block) => [...one.parameters, ...one.statistics];
      for (const [index, parameter] of parts(twin).entries()) {
        const original = parts(block)[index];
        if (original !== undefined) parameter.assign(tf.clone(original.value));
      }
      const x = randomBatch(block.inputShape, batch, 1);
      const outcome = async (one: Block, mode: Mode) => {
        const pass = one.forward(x, mode);
        const output = await read(pass.output);
        const dy = randomBatch(block.outputShape, batch, 2);
        const { input, parameters } = one.vjp(pass, dy, { input: true, parameters: true, release: true });
        const gradients = one.parameters.flatMap((parameter) => parameters.get(parameter) ?? []);
        const tensors = [...(input === undefined ? [] : [input]), ...gradients];
        const values = await readAll(tensors.map((tensor, index) => [String(index), tensor] as const));
        pass.release();
        tf.dispose([pass.output, ...tensors]);
        return { output, values };
      };
      expect(await outcome(twin, trainingMode)).toEqual(await outcome(block, trainingMode));
      const evaluated = async (one: Block) => {
        const pass = one.forward(x, evaluationMode);
        const output = await read(pass.output);
        pass.release();
        pass.output.dispose();
        return output;
      };
      expect(await evaluated(twin)).toEqual(await evaluated(block));
      x.dispose();
      for (const parameter of scope.all().values()) parameter.dispose();
      dispose();
    });

    it('declares a correct cost, or none', () => {
      const { block, dispose } = build();
      const stated = block.cost;
      if (stated !== undefined) {
        const measured = measuredBlockCost(block);
        const size = 8;
        const unit = 4 * size * block.outputShape.reduce((product, extent) => product * extent, 1);
        const difference = Math.abs(stated.residualBytes(size) - measured.residualBytes(size));
        expect(difference, 'residualBytes, declared vs. measured').toBeLessThanOrEqual(
          costTolerance * Math.max(unit, measured.residualBytes(size)),
        );
        const macs = measured.multiplyAccumulates;
        expect(
          Math.abs(stated.multiplyAccumulates - macs),
          'multiplyAccumulates, declared vs. counted',
        ).toBeLessThanOrEqual(costTolerance * Math.max(1, macs));
      }
      dispose();
    });
  });
}
