import {
  at,
  clockAt,
  identity,
  type JsonObject,
  type LocalLearningMethod,
  type MethodDecorator,
  type Optimizer,
  type Parameter,
  parseExpression,
  trainingMode,
  validatePlan,
} from '@localgrad/core';
import { createRandom } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { expectSame, outcomeOf, undeclared, unseeded } from './expect-same.js';
import { distinctEvaluations, type Evaluation } from './gradients/distinct-evaluations.js';
import { checkHeadGradients } from './gradients/tensor-checks.js';
import { evaluateHeads, expectClassScores, expectMeasuredCosts, expectUnchangedByEvaluation } from './head-laws.js';
import { perturb, randomBatch } from './random-tensors.js';
import { defaultTimeout, type GradientSuiteOptions, useBackend } from './suite.js';
import { withTeachers } from './teachers.js';
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
  type Trial,
  trainTrial,
} from './trial.js';

export interface MethodSuiteOptions extends GradientSuiteOptions {
  /** Rebuilds the method from its config. */
  readonly fromConfig?: (config: JsonObject) => LocalLearningMethod;
  /** Decorators that the method must work with, by name; `identity` is always included. */
  readonly decorators?: Readonly<Record<string, MethodDecorator>>;
  /** Training steps of the toy problem; default 60. */
  readonly steps?: number;
  /** Optimizer of the training steps. Default: SGD with rate 0.05 and momentum 0.9. */
  readonly optimizer?: () => Optimizer;
  /**
   * Whether a step needs less memory than end-to-end training. Default true; if false, state the reason in your README.
   */
  readonly savesMemory?: boolean;
  /**
   * Why gradients of heads are not the derivatives of their losses: stop-gradients (SimSiam, BYOL), straight-through estimators. They are
   * then not compared with finite differences, and the skipped test shows the reason; compare them with another implementation.
   */
  readonly stopGradients?: string;
  /** Maximum relative difference between declared and measured costs of heads; default 0.1. */
  readonly costTolerance?: number;
}

/** Where in a run of 100 steps gradients of heads are compared with finite differences. */
const gradientEvaluations: readonly Evaluation[] = [
  { mode: trainingMode, clock: clockAt(0, 10, 10) },
  { mode: { ...trainingMode, noise: { seed: 3, step: 50, part: 0 } }, clock: clockAt(50, 10, 10) },
  { mode: trainingMode, clock: clockAt(99, 10, 10) },
];

/**
 * Contract of a local-learning method, as a vitest suite: a JSON config, valid plans for every number of modules,
 * correct gradients that stay within their spans, runs that repeat and resume bit-identically, no tensor leaks,
 * learning, less memory than end-to-end training, and compatibility with decorators. Uses the current TensorFlow.js
 * backend, or `cpu`.
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
    optimizer,
    savesMemory = true,
    stopGradients,
    costTolerance = 0.1,
    gradients = {},
    timeout = defaultTimeout,
  } = options;

  const trainOwn = (trial: Trial, last: number, how: TrainOptions = {}) =>
    trainTrial(trial, last, { optimizer, ...how });

  describe(`conformance of ${name}`, { timeout }, () => {
    useBackend();

    it('has a name that parses as an expression, and a JSON config', () => {
      const method = create();
      expect(method.specVersion).toBe('v1');
      expect(() => parseExpression(method.name)).not.toThrow();
      const config: JsonObject = JSON.parse(JSON.stringify(method.config));
      expect(config).toEqual(method.config);
      if (fromConfig !== undefined) expect(fromConfig(config).config).toEqual(method.config);
    });

    it.runIf(fromConfig !== undefined)('trains bit-identically when it is rebuilt from its config', async () => {
      const run = async (method: LocalLearningMethod) => {
        const trial = createTrial(method, { seed: 5 });
        const training = await trainOwn(trial, 3);
        trial.dispose();
        return outcomeOf(training);
      };
      const method = create();
      const rebuilt = fromConfig?.(JSON.parse(JSON.stringify(method.config))) ?? method;
      const reason = `'config' lacks an option or fromConfig drops one, or ${unseeded}.`;
      expectSame(await run(rebuilt), await run(method), reason);
    });

    it('creates a valid, reproducible plan for every number of modules', () => {
      for (const modules of [2, 3, 5, 7]) {
        const { network, compiled, dispose } = createTrial(create(), { modules });
        const shown = () =>
          create()
            .plan(network)
            .objectives.map(({ id, role, span, head }) => [id, role, ...span, head.key]);
        expect(() => validatePlan(compiled.plan, modules)).not.toThrow();
        expect(shown()).toEqual(shown());
        expect(Math.max(...compiled.objectives.map(({ span }) => span[1])), 'highest module with a loss').toBe(
          modules - 1,
        );
        dispose();
      }
    });

    it('propagates each gradient only within the span of its loss and its own head', async () => {
      const whole = createTrial(create());
      const ids = whole.compiled.objectives.map(({ id }) => id);
      whole.dispose();
      const batch = createTrialBatch(1);
      for (const id of ids) {
        const kept = withTeachers(whole.compiled, id);
        const trial = createTrial(create(), {
          // Phases refer to objectives that are removed here.
          rewrite: ({ phases: _, ...plan }) => ({
            ...plan,
            objectives: plan.objectives.flatMap((objective) =>
              kept.has(objective.id) ? [{ ...objective, weight: 1 }] : [],
            ),
          }),
        });
        const { compiled } = trial;
        const spans = compiled.objectives.map(({ span }) => span);
        const from = Math.min(...spans.map(([start]) => start));
        const to = Math.max(...spans.map(([, end]) => end));
        const all = [...compiled.heads.values()].flat().map(({ head }) => head);
        // Gradients that start as zeros would show nothing.
        for (const head of all) if (head.synthesize !== undefined) perturb(head.parameters, createRandom(1));
        const names = (owners: readonly { readonly parameters: readonly Parameter[] }[]) =>
          owners.flatMap(({ parameters }) => parameters.filter(({ kind }) => kind === 'weight').map((one) => one.name));
        const inside = names(compiled.modules.slice(from, to + 1));
        const heads = names(all);
        const { gradients } = await readStep(trial, batch);
        expect([...gradients.keys()].sort(), `loss '${id}' reaches`).toEqual([...inside, ...heads].sort());
        for (const weight of inside.filter((one) => /conv\d?\.weight$/.test(one))) {
          const label = `norm of the gradient of loss '${id}' on ${weight}, 0 if the loss does not depend on its module's output`;
          expect(norm(gradients.get(weight) ?? []), label).toBeGreaterThan(0);
        }
        trial.dispose();
      }
      disposeBatch(batch);
    });

    const reason = stopGradients === undefined ? '' : ` (not compared: ${stopGradients})`;
    const gradientTest = `has heads with correct gradients from the first to the last step, with and without noise${reason}`;
    it.skipIf(stopGradients !== undefined)(gradientTest, async () => {
      const trial = createTrial(create());
      const batch = createTrialBatch(2, 8);
      const shapes = trial.compiled.modules.map((block) => block.inputShape);
      for (const { head, module } of [...trial.compiled.heads.values()].flat()) {
        perturb(head.parameters, createRandom(1));
        const moduleInput = randomBatch(at(shapes, module, 'module'), 8, 3);
        const outputGradient = randomBatch(head.inputShape, 8, 4);
        const targets = { ...batch.targets, moduleInput, outputGradient };
        for (const { mode, clock } of await distinctEvaluations(head, targets, 8, gradientEvaluations)) {
          await checkHeadGradients(head, targets, 8, mode, { ...gradients, clock });
        }
        tf.dispose([moduleInput, outputGradient]);
      }
      disposeBatch(batch);
      trial.dispose();
    });

    it('has the same gradients with the engine as with the reference procedure', async () => {
      const batch = createTrialBatch(4);
      const run = async (procedure: 'engine' | 'literal') => {
        const trial = createTrial(create());
        const step = await readStep(trial, batch, { procedure, clock: clockAt(50, 10, 10) });
        trial.dispose();
        return step;
      };
      const [engine, literal] = [await run('engine'), await run('literal')];
      expect([...engine.gradients.keys()].sort()).toEqual([...literal.gradients.keys()].sort());
      const largest = Math.max(...[...literal.gradients.values()].map(norm));
      for (const [weight, wanted] of literal.gradients) {
        // Values that are zero up to rounding have no meaningful relative error.
        if (norm(wanted) < 1e-4 * largest) continue;
        const label = `relative difference of the gradient of ${weight}; if seeded runs differ as well, likely ${unseeded}`;
        expect(distance(engine.gradients.get(weight) ?? [], wanted), label).toBeLessThan(1e-3);
      }
      disposeBatch(batch);
    });

    it('is bit-identical for equal seeds, and leaks no tensors', async () => {
      const run = async () => {
        const trial = createTrial(create(), { seed: 5 });
        const training = await trainOwn(trial, 4);
        trial.dispose();
        return training;
      };
      const before = tf.memory().numTensors;
      const [first, second] = [await run(), await run()];
      expectSame(outcomeOf(second), outcomeOf(first), `${unseeded}, or state in a closure or module.`);
      expect(tf.memory().numTensors, 'tensors after the run').toBe(before);
      expect(first.tensors[3], 'tensors after steps 2 and 4').toBe(first.tensors[1]);
    });

    it('resumes an interrupted run bit-identically', async () => {
      const run = async (seed: number, last: number, resume?: TrainOptions['resume']) => {
        const trial = createTrial(create(), { seed });
        const training = await trainOwn(trial, last, resume === undefined ? { steps: 4 } : { steps: 4, resume });
        trial.dispose();
        return training;
      };
      const straight = await run(5, 4);
      // A complete checkpoint: weights, averages, statistics, state of the plan and of the optimizer, by name.
      const resumed = await run(6, 4, { ...(await run(5, 2)), step: 2 });
      const rest = { ...straight, losses: straight.losses.slice(2), totals: straight.totals.slice(2) };
      expectSame(outcomeOf(resumed), outcomeOf(rest), `${undeclared}, or ${unseeded}.`);
    });

    it('is not changed by evaluating, measuring or predicting with its heads', async () => {
      const trial = createTrial(create(), { seed: 5 });
      await expectUnchangedByEvaluation(trial);
      trial.dispose();
      const run = async (evaluates: boolean) => {
        const used = createTrial(create(), { seed: 5 });
        const training = await trainOwn(used, 3, evaluates ? { between: () => evaluateHeads(used) } : {});
        used.dispose();
        return training;
      };
      const [evaluated, undisturbed] = [await run(true), await run(false)];
      const reason = `an evaluation between the steps changes state, or ${unseeded}.`;
      expectSame(outcomeOf(evaluated), outcomeOf(undisturbed), reason);
    });

    it('has heads that predict one score per class if they measure an accuracy', () => {
      const trial = createTrial(create());
      expectClassScores(trial);
      trial.dispose();
    });

    it('has heads that declare their measured cost, or none', () => {
      const trial = createTrial(create());
      expectMeasuredCosts(trial, costTolerance);
      trial.dispose();
    });

    it('learns a toy problem', async () => {
      const trial = createTrial(create(), { seed: 2 });
      const { losses, accuracy } = await trainOwn(trial, steps);
      trial.dispose();
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const trained = losses.filter((loss) => loss !== undefined);
      const [first, last] = [mean(trained.slice(0, 5)), mean(trained.slice(-5))];
      const course =
        `after ${steps} steps on four separable classes; losses of the last module: ${first.toPrecision(3)} in the first five steps, ` +
        `${last.toPrecision(3)} in the last five. If the method needs other settings, pass 'optimizer' or 'steps'`;
      expect(last, `the last losses, which must be below 0.7 × the first, ${course}`).toBeLessThan(0.7 * first);
      expect(accuracy, `accuracy of the plain backbone ${course}`).toBeGreaterThan(0.6);
    });

    if (savesMemory) {
      it('needs less memory per step than end-to-end training', () => {
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
      const { totals } = await trainOwn(trial, 3);
      trial.dispose();
      expect(totals.every(Number.isFinite)).toBe(true);
    });
  });
}
