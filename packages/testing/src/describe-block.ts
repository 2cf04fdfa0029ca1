import { type Block, evaluationMode, type Mode, type ParameterScope, trainingMode } from '@localgrad/core';
import { costOf, createRandom, createScope } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { checkBlockGradients } from './gradients/tensor-checks.js';
import { perturb, randomBatch } from './random-tensors.js';
import { defaultTimeout, type GradientSuiteOptions, useBackend } from './suite.js';
import { read, readAll } from './trial.js';

export interface BlockSuiteOptions extends GradientSuiteOptions {
  /** Samples per batch; default 3. */
  readonly batch?: number;
  /** Allowed difference between stated and measured residual bytes, relative; default 0.1. */
  readonly costTolerance?: number;
}

/**
 * The contract of a block: shapes and names, gradients against finite differences, every combination of wanted results,
 * repeated forwards and noise, statistics, ownership of tensors, and the cost where it is stated.
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

    it('names its parameters once, below its scope, and starts with the same values for the same seed', async () => {
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

    it('has the gradients of its function, with and without noise', async () => {
      const { block, dispose } = build();
      perturb(block.parameters, createRandom(1));
      await checkBlockGradients(block, trainingMode, { ...gradients, batch });
      await checkBlockGradients(block, noisy(1), { ...gradients, batch });
      dispose();
    });

    it('returns what is wanted, the same in each VJP of a pass, and leaves no tensor behind', async () => {
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

    it('frees a pass that is released without a VJP, and keeps nothing in evaluation', () => {
      const { block, dispose } = build();
      const x = randomBatch(block.inputShape, batch, 1);
      // Statistics are assigned, so the number of tensors stays.
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

    it('repeats a forward with the same bits, without touching statistics or weights', async () => {
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

    it('replicates itself with parameters of its own', () => {
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

    it('states a cost that fits, or none', () => {
      const { block, dispose } = build();
      const stated = block.cost;
      if (stated !== undefined) {
        const measured = costOf(withoutCost(block));
        const size = 8;
        const unit = 4 * size * block.outputShape.reduce((product, extent) => product * extent, 1);
        const difference = Math.abs(stated.residualBytes(size) - measured.residualBytes(size));
        expect(difference, 'residualBytes, stated against measured').toBeLessThanOrEqual(
          costTolerance * Math.max(unit, measured.residualBytes(size)),
        );
        const macs = measured.multiplyAccumulates;
        expect(
          Math.abs(stated.multiplyAccumulates - macs),
          'multiplyAccumulates, stated against counted',
        ).toBeLessThanOrEqual(costTolerance * Math.max(1, macs));
      }
      dispose();
    });
  });
}

/** A view of a block that states no cost, to be measured. */
function withoutCost(block: Block): Block {
  const { name, inputShape, outputShape, parameters, statistics } = block;
  return {
    ...{ name, inputShape, outputShape, parameters, statistics },
    forward: (x, mode) => block.forward(x, mode),
    vjp: (pass, dy, want) => block.vjp(pass, dy, want),
    replicate: (scope) => block.replicate(scope),
  };
}
