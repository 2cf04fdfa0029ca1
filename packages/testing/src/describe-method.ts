import {
  identity,
  type JsonObject,
  type LocalLearningMethod,
  type MethodDecorator,
  type Parameter,
  parseExpression,
  trainingMode,
  validatePlan,
} from '@localgrad/core';
import { createRandom } from '@localgrad/nn';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { checkHeadGradients } from './gradients/tensor-checks.js';
import { perturb } from './random-tensors.js';
import { defaultTimeout, type GradientSuiteOptions, useBackend } from './suite.js';
import {
  createTrial,
  createTrialBatch,
  deepBackbone,
  disposeBatch,
  distance,
  endToEnd,
  norm,
  readStep,
  type TrainOptions,
  trainTrial,
} from './trial.js';

export interface MethodSuiteOptions extends GradientSuiteOptions {
  /** Rebuilds the method from its config. */
  readonly fromConfig?: (config: JsonObject) => LocalLearningMethod;
  /** Decorators that it has to work with, by name; `identity` is always included. */
  readonly decorators?: Readonly<Record<string, MethodDecorator>>;
  /** Training steps of the toy problem; default 60. */
  readonly steps?: number;
  /** Whether a step needs less memory than end-to-end training. Default true; where not, state the reason in your README. */
  readonly savesMemory?: boolean;
}

/**
 * The contract of a local-learning method, for vitest: a plain config, valid plans for every number of modules, gradients
 * that stay inside the spans and are those of the losses, runs that repeat and resume bit for bit, no tensor left behind,
 * learning, less memory than end-to-end training, decorators around it. Runs on the current TensorFlow.js backend, or `cpu`.
 */
export function describeMethod(
  name: string,
  create: () => LocalLearningMethod,
  options: MethodSuiteOptions = {},
): void {
  const {
    fromConfig,
    decorators = {},
    steps = 60,
    savesMemory = true,
    gradients = {},
    timeout = defaultTimeout,
  } = options;

  describe(`conformance of ${name}`, { timeout }, () => {
    useBackend();

    it('has a name that can be written on a command line, and a config that is plain data', () => {
      const method = create();
      expect(method.specVersion).toBe('v1');
      expect(() => parseExpression(method.name)).not.toThrow();
      const config = JSON.parse(JSON.stringify(method.config)) as JsonObject;
      expect(config).toEqual(method.config);
      if (fromConfig !== undefined) expect(fromConfig(config).config).toEqual(method.config);
    });

    it('makes a valid plan for every number of modules, the same each time', () => {
      for (const modules of [2, 3, 5, 7]) {
        const { network, compiled, dispose } = createTrial(create(), { modules });
        const shown = () =>
          create()
            .plan(network)
            .objectives.map(({ id, role, span, head }) => [id, role, ...span, head.key]);
        expect(() => validatePlan(compiled.plan, modules)).not.toThrow();
        expect(shown()).toEqual(shown());
        expect(Math.max(...compiled.objectives.map(({ span }) => span[1])), 'some loss reads the last module').toBe(
          modules - 1,
        );
        dispose();
      }
    });

    it('keeps each gradient inside the span of its loss and its own head', async () => {
      const whole = createTrial(create());
      const ids = whole.compiled.objectives.map(({ id }) => id);
      whole.dispose();
      const batch = createTrialBatch(1);
      for (const id of ids) {
        const trial = createTrial(create(), {
          // Phases name objectives that are gone here.
          rewrite: ({ phases: _, ...plan }) => ({
            ...plan,
            objectives: plan.objectives.flatMap((objective) =>
              objective.id === id ? [{ ...objective, weight: 1 }] : [],
            ),
          }),
        });
        const { compiled } = trial;
        const [from, to] = compiled.objectives[0]?.span ?? [0, 0];
        const names = (owners: readonly { readonly parameters: readonly Parameter[] }[]) =>
          owners.flatMap(({ parameters }) => parameters.filter(({ kind }) => kind === 'weight').map((one) => one.name));
        const inside = names(compiled.modules.slice(from, to + 1));
        const heads = names([...compiled.heads.values()].flat().map(({ head }) => head));
        const { gradients } = await readStep(trial, batch);
        expect([...gradients.keys()].sort(), `loss '${id}' reaches`).toEqual([...inside, ...heads].sort());
        for (const weight of inside.filter((one) => /conv\d?\.weight$/.test(one))) {
          expect(norm(gradients.get(weight) ?? []), `loss '${id}' on ${weight}`).toBeGreaterThan(0);
        }
        trial.dispose();
      }
      disposeBatch(batch);
    });

    it('has heads whose gradients are those of their losses, with and without noise', async () => {
      const trial = createTrial(create());
      const batch = createTrialBatch(2, 8);
      for (const { head } of [...trial.compiled.heads.values()].flat()) {
        perturb(head.parameters, createRandom(1));
        await checkHeadGradients(head, batch.targets, 8, trainingMode, gradients);
        await checkHeadGradients(
          head,
          batch.targets,
          8,
          { ...trainingMode, noise: { seed: 3, step: 1, part: 0 } },
          gradients,
        );
      }
      disposeBatch(batch);
      trial.dispose();
    });

    it('gets the gradients of several forwards and backwards from the engine', async () => {
      const batch = createTrialBatch(4);
      const run = async (procedure: 'engine' | 'literal') => {
        const trial = createTrial(create());
        const step = await readStep(trial, batch, procedure);
        trial.dispose();
        return step;
      };
      const [engine, literal] = [await run('engine'), await run('literal')];
      expect([...engine.gradients.keys()].sort()).toEqual([...literal.gradients.keys()].sort());
      const largest = Math.max(...[...literal.gradients.values()].map(norm));
      for (const [weight, wanted] of literal.gradients) {
        // What is zero but for rounding has no relative error.
        if (norm(wanted) < 1e-4 * largest) continue;
        expect(distance(engine.gradients.get(weight) ?? [], wanted), weight).toBeLessThan(1e-3);
      }
      disposeBatch(batch);
    });

    it('repeats a run with the same bits for the same seed, and leaves no tensor behind', async () => {
      const run = async () => {
        const trial = createTrial(create(), { seed: 5 });
        const training = await trainTrial(trial, 4);
        trial.dispose();
        return training;
      };
      const before = tf.memory().numTensors;
      const [first, second] = [await run(), await run()];
      expect(first.losses).toEqual(second.losses);
      expect(first.parameters).toEqual(second.parameters);
      expect(tf.memory().numTensors, 'tensors after the run').toBe(before);
      expect(first.tensors[3], 'tensors after steps 2 and 4').toBe(first.tensors[1]);
    });

    it('resumes an interrupted run with the same bits', async () => {
      const run = async (seed: number, last: number, resume?: TrainOptions['resume']) => {
        const trial = createTrial(create(), { seed });
        const training = await trainTrial(trial, last, resume === undefined ? { steps: 4 } : { steps: 4, resume });
        trial.dispose();
        return training;
      };
      const straight = await run(5, 4);
      // A whole checkpoint: weights, averages, statistics, state of the plan and of the optimizer, by name.
      const resumed = await run(6, 4, { ...(await run(5, 2)), step: 2 });
      expect(resumed.losses).toEqual(straight.losses.slice(2));
      expect(resumed.parameters).toEqual(straight.parameters);
      expect(resumed.optimizer).toEqual(straight.optimizer);
      expect(resumed.state).toEqual(straight.state);
    });

    it('learns a toy problem', async () => {
      const trial = createTrial(create(), { seed: 2 });
      const { losses, accuracy } = await trainTrial(trial, steps);
      trial.dispose();
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(mean(losses.slice(-5)), 'last losses against first').toBeLessThan(0.7 * mean(losses.slice(0, 5)));
      expect(accuracy, 'accuracy of the plain backbone').toBeGreaterThan(0.6);
    });

    if (savesMemory) {
      it('needs less memory in a step than end-to-end training', () => {
        const [own, reference] = [create(), endToEnd].map((method) => {
          const trial = createTrial(method, { modules: 16, backbone: deepBackbone });
          const { stepBytes } = trial.compiled.predict(32);
          trial.dispose();
          return stepBytes;
        });
        expect(own).toBeLessThan(reference ?? 0);
      });
    }

    it.each(Object.entries({ identity, ...decorators }))('works inside %s', async (_, decorate) => {
      const trial = createTrial(decorate(create()));
      const { losses } = await trainTrial(trial, 3);
      trial.dispose();
      expect(losses.every(Number.isFinite)).toBe(true);
    });
  });
}
