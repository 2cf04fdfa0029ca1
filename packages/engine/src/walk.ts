import { LocalgradError, type Want } from '@localgrad/core';
import type { Instruction } from './schedule.js';

/** The feature maps that the heads on a module read. */
export interface HeadInputs<Value> {
  /** Output of the module. */
  readonly output: Value;
  /** Input of the module; present if a head reads it. */
  readonly input?: Value;
}

/**
 * Domain over which a schedule is interpreted: tensors (execution), bytes (prediction), units of work (description).
 * The walker owns passes and values, and passes each exactly once to `release`, `free`, `add` or `vjp`.
 */
export interface ScheduleDomain<Value, Pass> {
  /** Input of the first module; never freed. */
  readonly images: Value;
  /** Index of the module that reads `images`. Default 0. */
  readonly first?: number;
  /** Consumes a cotangent of `images`; needed where gradients leave a part of a plan. */
  emit?(cotangent: Value): void;
  /** A cotangent of the output of a part of a plan, from the part after it. */
  receive?(module: number): Value | undefined;
  /** A forward pass that is kept for VJPs. `repeat`: a recomputation. */
  forward(module: number, input: Value, repeat: boolean): { readonly output: Value; readonly pass: Pass };
  /** A forward pass that keeps only its output. */
  passThrough(module: number, input: Value): Value;
  /**
   * Evaluates the heads on a module's output. `arrive` receives the cotangent of the losses whose gradients stop at
   * `from`.
   */
  evaluate(module: number, read: HeadInputs<Value>, arrive: (from: number, cotangent: Value) => void): void;
  /** Lets the heads that synthesize gradients of a module's output learn from the gradient. Consumes it. */
  teach(module: number, output: Value, gradient: Value): void;
  /** Consumes the cotangent, unless `keep`. Returns that of the input, if requested. */
  vjp(module: number, pass: Pass, cotangent: Value, want: Want, keep: boolean): Value | undefined;
  /** Consumes both. */
  add(sum: Value, cotangent: Value): Value;
  /** Consumes a pass without a VJP. */
  release(module: number, pass: Pass): void;
  /** Consumes a module output, a cotangent or the output of a recomputation. */
  free(value: Value): void;
}

/** Interprets a schedule over a domain; the only implementation of the instructions. */
export function walkSchedule<Value, Pass>(schedule: readonly Instruction[], domain: ScheduleDomain<Value, Pass>): void {
  const walk = new Walk(domain);
  for (const instruction of schedule) walk.execute(instruction);
}

interface OpenPass<Value, Pass> {
  readonly pass: Pass;
  /** The output of a recomputation; not a module output. */
  readonly repeated?: Value;
}

/** The live values of one step. */
class Walk<Value, Pass> {
  readonly #domain: ScheduleDomain<Value, Pass>;
  readonly #passes = new Map<number, OpenPass<Value, Pass>>();
  readonly #outputs = new Map<number, Value>();
  readonly #slots = new Map<number, Map<number, Value>>();

  constructor(domain: ScheduleDomain<Value, Pass>) {
    this.#domain = domain;
  }

  execute(instruction: Instruction): void {
    const { module } = instruction;
    switch (instruction.op) {
      case 'forward':
        this.#forward(module, instruction.keep, instruction.repeat);
        break;
      case 'evaluate':
        this.#evaluate(module, instruction.readsInput);
        break;
      case 'send':
        this.#send(module, instruction.from, instruction.keep);
        break;
      case 'finish':
        this.#finish(instruction);
        break;
      case 'receive':
        this.#arrive(module, instruction.from, this.#domain.receive?.(module));
        break;
      case 'teach':
        this.#teach(module, this.#domain.receive?.(module));
        break;
      case 'drop':
        this.#release(module);
        break;
      case 'free':
        this.#domain.free(this.#output(module));
        this.#outputs.delete(module);
    }
  }

  #forward(module: number, keep: boolean, repeat: boolean): void {
    const input = this.#output(module - 1);
    if (!keep) {
      this.#outputs.set(module, this.#domain.passThrough(module, input));
      return;
    }
    const { output, pass } = this.#domain.forward(module, input, repeat);
    this.#passes.set(module, repeat ? { pass, repeated: output } : { pass });
    if (!repeat) this.#outputs.set(module, output);
  }

  #evaluate(module: number, readsInput: boolean): void {
    const output = this.#output(module);
    const read = readsInput ? { output, input: this.#output(module - 1) } : { output };
    this.#domain.evaluate(module, read, (from, cotangent) => this.#arrive(module, from, cotangent));
  }

  #send(module: number, from: number, keep: boolean): void {
    const { pass } = this.#pass(module);
    const cotangent = this.#slots.get(module)?.get(from);
    if (cotangent === undefined) throw missing(`slot (${module}, ${from})`);
    this.#slots.get(module)?.delete(from);
    const input = this.#domain.vjp(module, pass, cotangent, { input: true, parameters: false, release: false }, keep);
    this.#arrive(module - 1, from, input);
    if (!keep) return;
    // Already propagated: its last use is this module's weight gradient, together with all cotangents that stop here.
    this.#arrive(module, module, cotangent);
  }

  #finish({ module, weights, sendTo, teaches = false }: Extract<Instruction, { op: 'finish' }>): void {
    const [first, ...others] = this.#slots.get(module)?.values() ?? [];
    this.#slots.delete(module);
    if (first === undefined) throw missing(`cotangent of module ${module}`);
    const sum = others.reduce((total, cotangent) => this.#domain.add(total, cotangent), first);
    const want = { input: teaches || sendTo !== undefined, parameters: weights, release: true };
    const input = this.#domain.vjp(module, this.#pass(module).pass, sum, want, false);
    this.#release(module);
    if (sendTo !== undefined) this.#arrive(module - 1, sendTo, input);
    else if (teaches) this.#teach(module - 1, input);
  }

  #teach(module: number, gradient: Value | undefined): void {
    if (gradient === undefined) throw missing(`gradient of the output of module ${module}`);
    if (module < (this.#domain.first ?? 0)) this.#domain.emit?.(gradient);
    else this.#domain.teach(module, this.#output(module), gradient);
  }

  /** Adds a cotangent to slot (module, from). */
  #arrive(module: number, from: number, cotangent: Value | undefined): void {
    if (cotangent === undefined) throw missing(`cotangent for slot (${module}, ${from})`);
    if (module < (this.#domain.first ?? 0)) {
      this.#domain.emit?.(cotangent);
      return;
    }
    const slots = this.#slots.get(module) ?? new Map<number, Value>();
    this.#slots.set(module, slots);
    const waiting = slots.get(from);
    slots.set(from, waiting === undefined ? cotangent : this.#domain.add(waiting, cotangent));
  }

  #release(module: number): void {
    const { pass, repeated } = this.#pass(module);
    this.#domain.release(module, pass);
    if (repeated !== undefined) this.#domain.free(repeated);
    this.#passes.delete(module);
  }

  #pass(module: number): OpenPass<Value, Pass> {
    const open = this.#passes.get(module);
    if (open === undefined) throw missing(`pass of module ${module}`);
    return open;
  }

  #output(module: number): Value {
    if (module < (this.#domain.first ?? 0)) return this.#domain.images;
    const output = this.#outputs.get(module);
    if (output === undefined) throw missing(`output of module ${module}`);
    return output;
  }
}

function missing(what: string): LocalgradError {
  return new LocalgradError(
    'invalid-plan',
    `Internal error: the schedule needs the ${what}, which does not exist. Please report this bug.`,
  );
}
