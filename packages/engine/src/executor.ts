import {
  type Block,
  LocalgradError,
  type Mode,
  type Parameter,
  type Pass,
  recomputeMode,
  sameShape,
  type Targets,
  trainingMode,
  weightAt,
} from '@localgrad/core';
import { currentKernels } from '@localgrad/kernels';
import * as tf from '@tensorflow/tfjs';
import type { CompiledPlan } from './compile.js';
import type { Instruction } from './schedule.js';

export interface Batch {
  /** Normalised, shape [batch, ...imageShape]. Borrowed. */
  readonly images: tf.Tensor4D;
  /** Borrowed. */
  readonly targets: Targets;
}

export interface StepOptions {
  /** Training progress in [0, 1], for scheduled weights. */
  readonly progress?: number;
  /**
   * Takes each weight's gradient, and owns it, as soon as it is complete: nothing in the step reads that weight again,
   * so that an optimizer may update it at once and no gradient waits in memory.
   */
  readonly onGradient: (parameter: Parameter, gradient: tf.Tensor) => void;
}

export interface StepResult {
  /** Unweighted loss of each objective, by id. Owned by the caller. */
  readonly losses: ReadonlyMap<string, tf.Scalar>;
  /** Parts of losses, by `objective/term`. Owned by the caller. */
  readonly terms: ReadonlyMap<string, tf.Scalar>;
}

export interface Executor {
  /** One forward, all losses, all gradients. Disposes everything that it makes but the losses. */
  step(batch: Batch, options: StepOptions): StepResult;
}

/** An executor that runs a compiled plan's schedule. */
export function createExecutor(compiled: CompiledPlan): Executor {
  return {
    step(batch, options) {
      checkBatch(compiled, batch);
      const losses = new Map<string, tf.Scalar>();
      const terms = new Map<string, tf.Scalar>();
      // The tidy only catches what an error would leave behind: the run disposes everything itself, as early as it can.
      tf.tidy(() => {
        new Run(compiled, batch, options, losses, terms).execute();
      });
      return { losses, terms };
    },
  };
}

/** The state of one step: what is alive, and nothing else. */
class Run {
  readonly #passes = new Map<number, { pass: Pass; isRepeated: boolean }>();
  readonly #outputs = new Map<number, tf.Tensor4D>();
  readonly #slots = new Map<number, Map<number, tf.Tensor4D>>();

  constructor(
    readonly compiled: CompiledPlan,
    readonly batch: Batch,
    readonly options: StepOptions,
    readonly losses: Map<string, tf.Scalar>,
    readonly terms: Map<string, tf.Scalar>,
  ) {}

  execute(): void {
    for (const instruction of this.compiled.schedule) this.#execute(instruction);
  }

  #execute(instruction: Instruction): void {
    const { module } = instruction;
    switch (instruction.op) {
      case 'forward':
        this.#forward(module, instruction.keep, instruction.repeat);
        break;
      case 'evaluate':
        this.#evaluate(module);
        break;
      case 'send':
        this.#send(module, instruction.from);
        break;
      case 'finish':
        this.#finish(module, instruction.sendTo);
        break;
      case 'drop':
        this.#release(module);
        break;
      case 'free':
        this.#outputs.get(module)?.dispose();
        this.#outputs.delete(module);
    }
  }

  #forward(module: number, keep: boolean, isRepeated: boolean): void {
    const mode = isRepeated ? recomputeMode : trainingMode;
    const input = this.#output(module - 1);
    if (!keep) {
      this.#outputs.set(module, forwardWithoutResiduals(this.compiled.moduleBlocks[module] ?? [], input, mode));
      return;
    }
    const pass = this.#block(module).forward(input, mode);
    this.#passes.set(module, { pass, isRepeated });
    if (!isRepeated) this.#outputs.set(module, pass.output);
  }

  #evaluate(module: number): void {
    const { progress = 0, onGradient } = this.options;
    for (const { head, objectives } of this.compiled.heads.get(module) ?? []) {
      const weights = objectives.map((objective) => weightAt(objective.weight, progress));
      const weight = weights.reduce((sum, value) => sum + value, 0);
      const result = head.evaluate(this.#output(module), this.batch.targets, {
        mode: trainingMode,
        weight,
        input: true,
      });
      objectives.forEach((objective, index) => {
        this.losses.set(objective.id, keepCopy(result.loss));
        for (const [term, value] of result.terms ?? []) this.terms.set(`${objective.id}/${term}`, keepCopy(value));
        const share = weight === 0 ? 0 : (weights[index] ?? 0) / weight;
        const cotangent = result.input as tf.Tensor4D;
        this.#arrive(module, objective.span[0], share === 1 ? cotangent.clone() : tf.mul(cotangent, share));
      });
      result.loss.dispose();
      for (const term of result.terms?.values() ?? []) term.dispose();
      result.input?.dispose();
      for (const [parameter, gradient] of result.parameters) onGradient(parameter, tf.keep(gradient));
    }
  }

  #send(module: number, from: number): void {
    const { pass } = this.#pass(module);
    const cotangent = this.#slots.get(module)?.get(from);
    if (cotangent === undefined) throw missing(`slot (${module}, ${from})`);
    const want = { input: true, parameters: false, release: false };
    const { input } = this.#block(module).vjp(pass, cotangent.clone(), want);
    this.#arrive(module - 1, from, input as tf.Tensor4D);
    // It has gone on: what is left of it to do is this module's own gradient, together with all that stops here.
    this.#slots.get(module)?.delete(from);
    this.#arrive(module, module, cotangent);
  }

  #finish(module: number, sendTo: number | undefined): void {
    const slots = [...(this.#slots.get(module)?.values() ?? [])];
    this.#slots.delete(module);
    const [first, ...others] = slots;
    if (first === undefined) throw missing(`cotangent of module ${module}`);
    const sum = others.reduce((total, cotangent) => {
      const next = currentKernels().accumulate(total, cotangent);
      cotangent.dispose();
      return next;
    }, first);
    const { pass } = this.#pass(module);
    const want = { input: sendTo !== undefined, parameters: true, release: true };
    const { input, parameters } = this.#block(module).vjp(pass, sum, want);
    this.#release(module);
    if (sendTo !== undefined) this.#arrive(module - 1, sendTo, input as tf.Tensor4D);
    for (const [parameter, gradient] of parameters) this.options.onGradient(parameter, tf.keep(gradient));
  }

  /** Adds a cotangent, which it consumes, to slot (module, from). */
  #arrive(module: number, from: number, cotangent: tf.Tensor4D): void {
    const slots = this.#slots.get(module) ?? new Map<number, tf.Tensor4D>();
    this.#slots.set(module, slots);
    const waiting = slots.get(from);
    if (waiting === undefined) {
      slots.set(from, cotangent);
      return;
    }
    slots.set(from, currentKernels().accumulate(waiting, cotangent));
    cotangent.dispose();
  }

  #release(module: number): void {
    const { pass, isRepeated } = this.#pass(module);
    pass.release();
    if (isRepeated) pass.output.dispose();
    this.#passes.delete(module);
  }

  #block(module: number): Block {
    return this.compiled.modules[module] as Block;
  }

  #pass(module: number): { pass: Pass; isRepeated: boolean } {
    const entry = this.#passes.get(module);
    if (entry === undefined) throw missing(`pass of module ${module}`);
    return entry;
  }

  #output(module: number): tf.Tensor4D {
    if (module < 0) return this.batch.images;
    const output = this.#outputs.get(module);
    if (output === undefined) throw missing(`output of module ${module}`);
    return output;
  }
}

/** A training forward through some blocks that frees each one's residuals and input as it goes. */
function forwardWithoutResiduals(blocks: readonly Block[], input: tf.Tensor4D, mode: Mode): tf.Tensor4D {
  let x = input;
  for (const block of blocks) {
    const pass = block.forward(x, mode);
    pass.release();
    if (x !== input) x.dispose();
    x = pass.output;
  }
  return x;
}

/** Survives the step's tidy. */
function keepCopy(scalar: tf.Scalar): tf.Scalar {
  return tf.keep(scalar.clone());
}

function missing(what: string): LocalgradError {
  return new LocalgradError(
    'invalid-plan',
    `The schedule asks for the ${what}, which is not there: the schedule is broken.`,
  );
}

export function checkBatch({ network, plan, readsImages }: CompiledPlan, { images, targets }: Batch): void {
  if (readsImages && targets.images === undefined) {
    throw new LocalgradError(
      'misuse',
      `'${plan.method}' compares with the images themselves: a batch's targets must carry them in [0, 1] (createBatches: withImages).`,
      { method: plan.method },
    );
  }
  const expected = [targets.labels.shape[0] ?? 0, ...network.imageShape];
  if (!sameShape(images.shape, expected)) {
    throw new LocalgradError(
      'shape-mismatch',
      `A batch for '${plan.method}' on ${network.backbone.name} must have images of shape [${expected.join(', ')}] for its ` +
        `${targets.labels.shape[0]} labels, but has [${images.shape.join(', ')}].`,
      { expected, found: images.shape },
    );
  }
}
