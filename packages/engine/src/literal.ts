import {
  at,
  type HeadResult,
  LocalgradError,
  type Mode,
  type Objective,
  type Parameter,
  type Pass,
  startOfTraining,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import { sequential } from '@localgrad/nn/blocks';
import * as tf from '@tensorflow/tfjs';
import { checkBatch, checkStepOptions, checkSynthesis, evaluateAt } from './check-step.js';
import type { CompiledPlan } from './compile.js';
import { headTargets, synthesizes } from './heads.js';
import { type LiteralDomain, type LiteralLoss, walkLiterally } from './literal-walk.js';
import { moveAverages } from './moving-averages.js';
import { objectiveWeight } from './objective-weight.js';
import type { CompiledPhase } from './phases.js';
import { scaled } from './shared-weights.js';
import type { Batch, Executor, StepOptions } from './step.js';
import type { HeadInputs } from './walk.js';

/**
 * Executor that follows the procedure of reference implementations, for comparison: every span runs its own forward and
 * backward pass, and gradients are summed. Heads are evaluated once per loss. Every forward pass updates the running
 * statistics.
 *
 * Computes the same gradients as `createExecutor` with two to three times the work.
 */
export function createLiteralExecutor(compiled: CompiledPlan): Executor {
  return {
    step(batch, options) {
      checkStepOptions(options);
      const phase = compiled.phaseAt(options.clock ?? startOfTraining);
      checkBatch(compiled, phase, batch);
      const domain = new LiteralTensorDomain(compiled, phase, batch, options);
      tf.tidy(() => {
        walkLiterally(phase, compiled.modules.length, domain);
        domain.end();
      });
      return { losses: domain.losses, terms: domain.terms };
    },
  };
}

class LiteralTensorDomain implements LiteralDomain<tf.Tensor4D, Pass> {
  readonly losses = new Map<string, tf.Scalar>();
  readonly terms = new Map<string, tf.Scalar>();
  readonly images: tf.Tensor4D;
  readonly alwaysRepeats = true;
  readonly #modules;
  readonly #gradients = new Map<Parameter, tf.Tensor>();

  constructor(
    readonly compiled: CompiledPlan,
    readonly phase: CompiledPhase,
    readonly batch: Batch,
    readonly options: StepOptions,
  ) {
    this.images = batch.images;
    this.#modules = compiled.network.modules.map(({ index, blocks }) => sequential(`module${index}`, blocks));
  }

  forward(module: number, input: tf.Tensor4D): { output: tf.Tensor4D; pass: Pass } {
    const pass = at(this.#modules, module, 'module').forward(input, this.#mode(this.phase.frozen.has(module) ? 0 : 1));
    return { output: pass.output, pass };
  }

  evaluate(
    { objective, head }: LiteralLoss,
    module: number,
    { output, input: moduleInput }: Required<HeadInputs<tf.Tensor4D>>,
    input: boolean,
  ) {
    const { scale = 1, headClock: clock = this.options.clock ?? startOfTraining } = this.options;
    const weight = objectiveWeight(objective, this.options.clock ?? startOfTraining) * scale;
    const targets = headTargets(head, this.batch.targets, moduleInput);
    const place = { key: objective.head.key, module, head };
    if (synthesizes(head)) {
      if (!input) return undefined;
      const own = { mode: this.#mode(0), weight: weight / scale, clock };
      const found = evaluateAt(this.compiled, place, () => head.synthesize?.(output, targets, own));
      return checkSynthesis(this.compiled, place, output, found);
    }
    const { labelSmoothing } = this.compiled;
    const request = { mode: this.#mode(1), weight, input, clock, labelSmoothing };
    const result = evaluateAt(this.compiled, place, () => head.evaluate(output, targets, request));
    this.#record(objective, result);
    if (input && result.input === undefined) {
      throw new LocalgradError('misuse', `Head '${head.name}' returned no cotangent of its input.`);
    }
    return result.input;
  }

  vjp(module: number, pass: Pass, cotangent: tf.Tensor4D, wantsInput: boolean): tf.Tensor4D | undefined {
    const want = { input: wantsInput, parameters: !this.phase.frozen.has(module), release: true };
    const { input, parameters } = at(this.#modules, module, 'module').vjp(pass, cotangent, want);
    this.#collect(parameters);
    return input;
  }

  teach(module: number, output: tf.Tensor4D, outputGradient: tf.Tensor4D): void {
    const { scale = 1, headClock: clock = this.options.clock ?? startOfTraining } = this.options;
    for (const { head, key, objectives } of this.phase.heads.get(module) ?? []) {
      if (!synthesizes(head)) continue;
      for (const objective of objectives) {
        const weight = objectiveWeight(objective, this.options.clock ?? startOfTraining) * scale;
        const targets = { ...this.batch.targets, outputGradient };
        const { labelSmoothing } = this.compiled;
        const request = { mode: this.#mode(1), weight, input: false, clock, labelSmoothing };
        const evaluate = () => head.evaluate(output, targets, request);
        this.#record(objective, evaluateAt(this.compiled, { key, module, head }, evaluate));
      }
    }
    outputGradient.dispose();
  }

  #record({ id }: Objective, { loss, terms, parameters }: HeadResult): void {
    this.losses.set(id, tf.keep(loss));
    for (const [term, value] of terms ?? []) this.terms.set(`${id}/${term}`, tf.keep(value));
    this.#collect(parameters);
  }

  add(sum: tf.Tensor4D, cotangent: tf.Tensor4D): tf.Tensor4D {
    const next = currentKernels().accumulate(sum, cotangent);
    cotangent.dispose();
    return next;
  }

  release(_module: number, pass: Pass): void {
    pass.release();
  }

  free(value: tf.Tensor4D): void {
    value.dispose();
  }

  /** Updates the averages, and emits all gradients in one group. */
  end(): void {
    if (this.options.movesAverages !== false) {
      const active = new Set([...this.phase.heads.values()].flat().map(({ key }) => key));
      moveAverages(this.compiled.averages.filter(({ head, when }) => when === 'beforeUpdate' && active.has(head)));
    }
    this.options.onGradients(
      [...this.#gradients].map(([parameter, gradient]) => {
        const { scale = 1 } = this.phase.shared.get(parameter) ?? {};
        return { parameter, gradient: tf.keep(scaled(gradient, scale)) };
      }),
    );
  }

  #collect(found: ReadonlyMap<Parameter, tf.Tensor>): void {
    for (const [parameter, gradient] of found) {
      const sum = this.#gradients.get(parameter);
      this.#gradients.set(parameter, sum === undefined ? gradient : currentKernels().accumulate(sum, gradient));
      if (sum !== undefined) gradient.dispose();
    }
  }

  #mode(statisticsUpdates: number): Mode {
    const { noise } = this.options;
    return { training: true, statisticsUpdates, ...(noise === undefined ? {} : { noise }) };
  }
}
