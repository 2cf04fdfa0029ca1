import {
  at,
  type Block,
  type Clock,
  type HeadResult,
  LocalgradError,
  type Mode,
  type Parameter,
  type Pass,
  rejectUnknownKeys,
  startOfTraining,
  type Want,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import { checkBatch, checkStepOptions, checkSynthesis, evaluateAt, evaluateChecked } from './check-step.js';
import type { CompiledPlan } from './compile.js';
import { type ExecutorOptions, executorOptionNames } from './executor-options.js';
import { headTargets, synthesizes } from './heads.js';
import { moveAverages } from './moving-averages.js';
import { objectiveWeight } from './objective-weight.js';
import { PooledEvaluations, vjpOf } from './only-means.js';
import type { ActiveHead, CompiledPhase } from './phases.js';
import { SharedGradients } from './shared-weights.js';
import type { Batch, Executor, StepOptions } from './step.js';
import { sum } from './sum.js';
import { type HeadInputs, type ScheduleDomain, walkSchedule } from './walk.js';

/** Creates an executor that runs a compiled plan's schedule. */
export function createExecutor(compiled: CompiledPlan, links: ExecutorOptions = {}): Executor {
  rejectUnknownKeys('createExecutor', links, executorOptionNames);
  if (compiled.gradientDelay !== undefined) {
    throw new LocalgradError(
      'misuse',
      'Where gradients are delayed, one step computes those of several batches: use createTrainStep.',
    );
  }
  const checked = new Set<string>();
  const pooled = new PooledEvaluations();
  return {
    step(batch, options) {
      checkStepOptions(options);
      const phase = compiled.phaseAt(options.clock ?? startOfTraining);
      checkBatch(compiled, phase, batch);
      const losses = new Map<string, tf.Scalar>();
      const terms = new Map<string, tf.Scalar>();
      const domain = new TensorDomain({ compiled, phase, batch, options, losses, terms, checked, pooled, links });
      // The tidy only cleans up after errors: the walk itself disposes every tensor as early as possible.
      tf.tidy(() => walkSchedule(phase.schedule, domain));
      return { losses: byModule(losses, phase), terms };
    },
  };
}

/** Losses in the order of their modules, also those of heads that learn from later modules. */
function byModule(losses: ReadonlyMap<string, tf.Scalar>, { taught, heads }: CompiledPhase): Map<string, tf.Scalar> {
  if (taught.size === 0) return new Map(losses);
  const groups = [...heads].sort(([a], [b]) => a - b).flatMap(([, group]) => group);
  return new Map(
    groups.flatMap(({ objectives }) =>
      objectives.flatMap(({ id }) => {
        const loss = losses.get(id);
        return loss === undefined ? [] : [[id, loss] as const];
      }),
    ),
  );
}

interface StepSetting {
  readonly compiled: CompiledPlan;
  readonly phase: CompiledPhase;
  readonly batch: Batch;
  readonly options: StepOptions;
  readonly losses: Map<string, tf.Scalar>;
  readonly terms: Map<string, tf.Scalar>;
  /** Keys of heads whose results have been checked. */
  readonly checked: Set<string>;
  readonly pooled: PooledEvaluations;
  readonly links: ExecutorOptions;
}

/** What a head reads besides the targets of the batch. */
interface HeadReads extends HeadInputs<tf.Tensor4D> {
  readonly outputGradient?: tf.Tensor4D;
}

type Arrive = (from: number, cotangent: tf.Tensor4D) => void;

/** One step on tensors. */
class TensorDomain implements ScheduleDomain<tf.Tensor4D, Pass> {
  readonly images: tf.Tensor4D;
  readonly first: number;
  readonly #setting: StepSetting;
  readonly #shared: SharedGradients;

  constructor(setting: StepSetting) {
    this.#setting = setting;
    this.#shared = new SharedGradients(setting.phase.shared);
    this.images = setting.batch.images;
    this.first = setting.compiled.range[0];
  }

  forward(module: number, input: tf.Tensor4D, repeat: boolean): { output: tf.Tensor4D; pass: Pass } {
    const pass = this.#block(module).forward(input, this.#mode(module, repeat));
    if (!repeat) this.#passOn(module, pass.output);
    return { output: pass.output, pass };
  }

  passThrough(module: number, input: tf.Tensor4D): tf.Tensor4D {
    const mode = this.#mode(module, false);
    let x = input;
    for (const block of at(this.#setting.compiled.moduleBlocks, module, 'module')) {
      const pass = block.forward(x, mode);
      pass.release();
      if (x !== input) x.dispose();
      x = pass.output;
    }
    this.#passOn(module, x);
    return x;
  }

  evaluate(module: number, read: HeadInputs<tf.Tensor4D>, arrive: Arrive): void {
    for (const active of this.#setting.phase.heads.get(module) ?? []) {
      if (synthesizes(active.head)) this.#synthesize(active, read.output, arrive);
      else this.#evaluateHead(active, read, arrive);
    }
  }

  teach(module: number, output: tf.Tensor4D, outputGradient: tf.Tensor4D): void {
    for (const active of this.#setting.phase.heads.get(module) ?? []) {
      if (synthesizes(active.head)) this.#evaluateHead(active, { output, outputGradient }, () => {});
    }
    outputGradient.dispose();
  }

  vjp(module: number, pass: Pass, cotangent: tf.Tensor4D, want: Want, keep: boolean): tf.Tensor4D | undefined {
    // A second handle on the same buffer, which the block then cannot overwrite.
    const consumed = keep ? cotangent.clone() : cotangent;
    const { input, parameters } = vjpOf(this.#block(module), cotangent).vjp(pass, consumed, want);
    this.#give(parameters);
    return input;
  }

  add(sum: tf.Tensor4D, cotangent: tf.Tensor4D): tf.Tensor4D {
    const next = currentKernels().accumulate(sum, cotangent);
    cotangent.dispose();
    return next;
  }

  emit(cotangent: tf.Tensor4D): void {
    const { crossings } = this.#setting.links;
    if (crossings === undefined)
      throw new LocalgradError('misuse', 'A gradient leaves a part of a plan: use crossings.');
    crossings.send(cotangent);
    cotangent.dispose();
  }

  receive(): tf.Tensor4D | undefined {
    return this.#setting.links.crossings?.receive(this.images.shape[0]);
  }

  release(_module: number, pass: Pass): void {
    pass.release();
  }

  free(output: tf.Tensor4D): void {
    output.dispose();
  }

  #passOn(module: number, output: tf.Tensor4D): void {
    const { compiled, phase, batch, links } = this.#setting;
    if (phase.continues && module === compiled.range[1]) links.onOutput?.({ images: output, targets: batch.targets });
  }

  #evaluateHead(active: ActiveHead, read: HeadReads, arrive: Arrive): void {
    const { options, losses, terms, links } = this.#setting;
    links.onHead?.(active.key);
    const weights = this.#weightsOf(active);
    const result = this.#run(active, read, sum(weights) * (options.scale ?? 1));
    for (const { id } of active.objectives) {
      losses.set(id, keepCopy(result.loss));
      for (const [term, value] of result.terms ?? []) terms.set(`${id}/${term}`, keepCopy(value));
    }
    if (result.input !== undefined) divideAmong(active, weights, result.input, arrive);
    tf.dispose([result.loss, ...(result.terms?.values() ?? [])]);
    this.#moveAverages(active.key);
    this.#give(result.parameters);
  }

  /** The gradient of a micro-batch is a part of that of the whole batch, which the head predicts for each sample. */
  #synthesize(active: ActiveHead, output: tf.Tensor4D, arrive: Arrive): void {
    const { compiled, batch, links } = this.#setting;
    links.onHead?.(active.key);
    const weights = this.#weightsOf(active);
    const request = { mode: this.#headMode(0), weight: sum(weights), clock: this.#headClock };
    const cotangent = evaluateAt(compiled, active, () => active.head.synthesize?.(output, batch.targets, request));
    divideAmong(active, weights, checkSynthesis(compiled, active, output, cotangent), arrive);
  }

  /** Evaluates a head; checks its first result. */
  #run(active: ActiveHead, { output: h, input: moduleInput, outputGradient }: HeadReads, weight: number): HeadResult {
    const { compiled, phase, batch, checked } = this.#setting;
    const input = outputGradient === undefined && active.objectives.some(({ start }) => start !== undefined);
    const own = headTargets(active.head, batch.targets, moduleInput);
    const targets = outputGradient === undefined ? own : { ...own, outputGradient };
    const { labelSmoothing } = compiled;
    const request = { mode: this.#headMode(1), weight, input, clock: this.#headClock, labelSmoothing };
    const pooled = input ? this.#setting.pooled.of(phase, active) : undefined;
    const evaluate = () => evaluateAt(compiled, active, () => (pooled ?? active.head).evaluate(h, targets, request));
    if (checked.has(active.key)) return evaluate();
    const shape = pooled === undefined ? h.shape : [h.shape[0], ...pooled.shape];
    const result = evaluateChecked(compiled, active, { shape, isRequested: input }, evaluate);
    checked.add(active.key);
    return result;
  }

  #weightsOf({ objectives }: ActiveHead): readonly number[] {
    const { clock = startOfTraining } = this.#setting.options;
    return objectives.map((objective) => objectiveWeight(objective, clock));
  }

  get #headClock(): Clock {
    const { headClock, clock = startOfTraining } = this.#setting.options;
    return headClock ?? clock;
  }

  #headMode(statisticsUpdates: number): Mode {
    const { noise } = this.#setting.options;
    return { training: true, statisticsUpdates, ...(noise === undefined ? {} : { noise }) };
  }

  /** Runs before the optimizer receives the head's gradients, because an average may also be trained. */
  #moveAverages(key: string): void {
    const { compiled, options } = this.#setting;
    if (options.movesAverages === false) return;
    moveAverages(compiled.averages.filter(({ head, when }) => head === key && when === 'beforeUpdate'));
  }

  #give(gradients: ReadonlyMap<Parameter, tf.Tensor>): void {
    const group = [...gradients].map(([parameter, gradient]) => ({ parameter, gradient: tf.keep(gradient) }));
    const complete = this.#shared.complete(group);
    if (complete.length > 0) this.#setting.options.onGradients(complete);
  }

  #mode(module: number, repeat: boolean): Mode {
    const { phase, options } = this.#setting;
    const { updatesStatistics = true } = options;
    const statisticsUpdates = repeat || !updatesStatistics || phase.frozen.has(module) ? 0 : 1;
    return { training: true, statisticsUpdates, ...(options.noise === undefined ? {} : { noise: options.noise }) };
  }

  #block(module: number): Block {
    return at(this.#setting.compiled.modules, module, 'module');
  }
}

/** Sends each objective's share of the cotangent of a head's input to the module where it stops. Consumes the cotangent. */
function divideAmong(
  { objectives }: ActiveHead,
  weights: readonly number[],
  cotangent: tf.Tensor4D,
  arrive: Arrive,
): void {
  const total = sum(weights);
  objectives.forEach(({ start }, index) => {
    if (start === undefined) return;
    const share = total === 0 ? 0 : at(weights, index, 'weight') / total;
    arrive(start, share === 1 ? cotangent.clone() : tf.mul(cotangent, share));
  });
  cotangent.dispose();
}

/** A copy that outlives the step's tidy. */
function keepCopy(scalar: tf.Scalar): tf.Scalar {
  return tf.keep(scalar.clone());
}
