import { clockAt, type JsonObject, type Optimizer, Parameter } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { expectSame } from './expect-same.js';
import { randomValues } from './random-tensors.js';
import { defaultTimeout, type SuiteOptions, useBackend } from './suite.js';
import { read, readAll } from './trial.js';

export interface OptimizerSuiteOptions extends SuiteOptions {
  /** Rebuilds the optimizer from its config. */
  readonly fromConfig?: (config: JsonObject) => Optimizer;
  /** Learning rate at which it minimizes a quadratic function; default 0.05. */
  readonly learningRate?: number;
  /** Number of steps within which the quadratic function must fall below a tenth of its initial value; default 100. */
  readonly steps?: number;
}

const shapes: Readonly<Record<string, readonly number[]>> = {
  'conv.weight': [3, 3, 2, 4],
  'bn.bias': [4],
  'fc.weight': [4, 5],
};

/**
 * Contract of an optimizer: a JSON config, descent, explicit state that resumes a run bit-identically, no change of
 * weights without gradients, independence of gradient grouping, and no tensor leaks.
 */
export function describeOptimizer(name: string, create: () => Optimizer, options: OptimizerSuiteOptions = {}): void {
  const { timeout = defaultTimeout, fromConfig, learningRate = 0.05, steps = 100 } = options;

  const createParameters = () =>
    Object.entries(shapes).map(([key, shape]) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return new Parameter(key, tf.tensor(randomValues(size, 1, key), [...shape]));
    });
  /** The gradients of Σ c·p² / 2, c between 1 and 2. */
  const gradientsOf = (parameters: readonly Parameter[]) =>
    parameters.map((parameter, index) => ({
      parameter,
      gradient: tf.mul(parameter.value, 1 + index / parameters.length),
    }));
  const run = (optimizer: Optimizer, parameters: readonly Parameter[], from: number, to: number, group = Infinity) => {
    for (let step = from; step < to; step++) {
      const gradients = gradientsOf(parameters);
      for (let start = 0; start < gradients.length; start += group) {
        const context = { learningRate, clock: clockAt(step, 1, steps) };
        optimizer.update(gradients.slice(start, start + group), context);
      }
    }
  };
  const valuesOf = (parameters: readonly Parameter[]) =>
    readAll(parameters.map((parameter) => [parameter.name, parameter.value] as const));
  const free = (optimizer: Optimizer, parameters: readonly Parameter[]) => {
    optimizer.dispose();
    for (const parameter of parameters) parameter.dispose();
  };

  describe(`conformance of optimizer ${name}`, { timeout }, () => {
    useBackend();

    it('has a JSON config, and is rebuilt from it', () => {
      const { config } = create();
      const plain: JsonObject = JSON.parse(JSON.stringify(config));
      expect(plain).toEqual(config);
      if (fromConfig !== undefined) expect(fromConfig(plain).config).toEqual(config);
    });

    it.runIf(fromConfig !== undefined)('updates bit-identically when it is rebuilt from its config', async () => {
      const trained = async (optimizer: Optimizer) => {
        const parameters = createParameters();
        run(optimizer, parameters, 0, 5);
        const values = await valuesOf(parameters);
        free(optimizer, parameters);
        return values;
      };
      const config: JsonObject = JSON.parse(JSON.stringify(create().config));
      expectSame(
        { weights: await trained(fromConfig?.(config) ?? create()) },
        { weights: await trained(create()) },
        "'config' lacks an option, or fromConfig drops one.",
      );
    });

    it('minimizes a quadratic function', async () => {
      const [optimizer, parameters] = [create(), createParameters()];
      const value = async () =>
        [...(await valuesOf(parameters)).values()].reduce((sum, all) => sum + all.reduce((s, x) => s + x * x, 0), 0);
      const before = await value();
      run(optimizer, parameters, 0, steps);
      expect(await value()).toBeLessThan(0.1 * before);
      free(optimizer, parameters);
    });

    it('takes ownership of gradients, and keeps no tensors except its state', () => {
      const before = tf.memory().numTensors;
      const [optimizer, parameters] = [create(), createParameters()];
      const gradients = gradientsOf(parameters);
      optimizer.update(gradients, { learningRate, clock: clockAt(0, 1, steps) });
      const settled = tf.memory().numTensors;
      run(optimizer, parameters, 1, 4);
      expect(tf.memory().numTensors, 'tensors after steps 1 and 4').toBe(settled);
      free(optimizer, parameters);
      expect(tf.memory().numTensors, 'tensors after dispose').toBe(before);
    });

    it("names its state 'slot/parameter', and reports its bytes", () => {
      const [optimizer, parameters] = [create(), createParameters()];
      run(optimizer, parameters, 0, 2);
      const state = optimizer.state();
      const bytes = new Map<string, number>();
      for (const [key, tensor] of state) {
        const owner = parameters.find((parameter) => key.endsWith(`/${parameter.name}`));
        expect(owner, `parameter of state '${key}'`).toBeDefined();
        bytes.set(owner?.name ?? '', (bytes.get(owner?.name ?? '') ?? 0) + 4 * tensor.size);
      }
      for (const parameter of parameters) {
        expect(optimizer.stateBytes(parameter), parameter.name).toBe(bytes.get(parameter.name) ?? 0);
      }
      free(optimizer, parameters);
    });

    it('resumes bit-identically from its state', async () => {
      const [whole, straight] = [create(), createParameters()];
      run(whole, straight, 0, 6);
      const [early, parameters] = [create(), createParameters()];
      run(early, parameters, 0, 3);
      const saved = new Map<string, tf.Tensor>();
      for (const [key, tensor] of early.state()) saved.set(key, tf.tensor(await read(tensor), tensor.shape));
      early.dispose();
      const late = create();
      late.load(saved);
      run(late, parameters, 3, 6);
      expectSame(
        { weights: await valuesOf(parameters) },
        { weights: await valuesOf(straight) },
        "'state' lacks a slot, e.g. a count of steps, or 'load' does not restore one.",
      );
      free(late, parameters);
      free(whole, straight);
    });

    it('rejects state of an unknown name', () => {
      const optimizer = create();
      const state = new Map([['no-slot/w', tf.scalar(0)]]);
      const message = "'load' must throw for names that 'state' never returns, such as 'no-slot/w'";
      expect(() => optimizer.load(state), message).toThrow();
      optimizer.dispose();
    });

    it('does not change weights without a gradient, nor their state', async () => {
      const [optimizer, parameters] = [create(), createParameters()];
      run(optimizer, parameters, 0, 2);
      const [first, ...others] = parameters;
      const before = await valuesOf(others);
      const state = await readAll(optimizer.state());
      run(optimizer, first === undefined ? [] : [first], 2, 4);
      expect(await valuesOf(others)).toEqual(before);
      for (const [key, values] of await readAll(optimizer.state())) {
        if (!key.endsWith(`/${first?.name}`)) expect(values, key).toEqual(state.get(key));
      }
      free(optimizer, parameters);
    });

    it('computes the same update from groups of gradients as from all at once, unless it sets needsWholeStep', async () => {
      if (create().needsWholeStep === true) return;
      const results = [];
      for (const group of [Infinity, 1]) {
        const [optimizer, parameters] = [create(), createParameters()];
        run(optimizer, parameters, 0, 3, group);
        results.push(await valuesOf(parameters));
        free(optimizer, parameters);
      }
      expect(results[1]).toEqual(results[0]);
    });
  });
}
