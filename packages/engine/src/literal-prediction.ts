import { at, type Block, bytesOf, type Head } from '@localgrad/core';
import { costOf } from '@localgrad/nn/cost';
import type { CompiledPlan } from './compile.js';
import { costOfHead, synthesizes } from './heads.js';
import { type LiteralDomain, type LiteralLoss, walkLiterally } from './literal-walk.js';
import type { CompiledPhase } from './phases.js';
import { imageBytes, type PhasePrediction } from './prediction.js';
import type { HeadInputs } from './walk.js';

/** Cost of the procedure of reference implementations; see `createLiteralExecutor`. */
export interface LiteralPrediction {
  /** Number of forward passes of each module per step. */
  readonly forwards: readonly number[];
  /** Number of backward passes of each module per step; each counts as two forward passes. */
  readonly backwards: readonly number[];
  /** Head evaluations, each forward and backward. */
  readonly evaluations: readonly Head[];
  /** Peak memory in bytes; all paths that end at a module store their own residuals. */
  readonly peakBytes: number;
}

/** Predicts the work and memory of `createLiteralExecutor` without running it. */
export function predictLiteral(compiled: CompiledPlan, batchSize: number, options: PhasePrediction): LiteralPrediction {
  const { phase, accumulate = 1 } = options;
  const partSize = Math.ceil(batchSize / accumulate);
  const domain = new LiteralByteDomain(compiled, phase, partSize);
  walkLiterally(phase, compiled.modules.length, domain);
  const { forwards, backwards, evaluations } = domain;
  const { residentBytes, batchBytes } = compiled.predict(batchSize, options);
  const partBytes = accumulate > 1 ? imageBytes(compiled, partSize) : 0;
  return { forwards, backwards, evaluations, peakBytes: domain.peak + partBytes + residentBytes + batchBytes };
}

/** Represents values by their size in bytes, and passes by the size of their residuals. */
class LiteralByteDomain implements LiteralDomain<number, number> {
  readonly images = 0;
  readonly alwaysRepeats = false;
  readonly forwards: number[];
  readonly backwards: number[];
  readonly evaluations: Head[] = [];
  peak = 0;
  #live = 0;
  readonly #gradients = new Set<string>();

  constructor(
    readonly compiled: CompiledPlan,
    readonly phase: CompiledPhase,
    readonly batchSize: number,
  ) {
    this.forwards = compiled.modules.map(() => 0);
    this.backwards = compiled.modules.map(() => 0);
  }

  forward(module: number): { output: number; pass: number } {
    const block = this.#block(module);
    this.forwards[module] = at(this.forwards, module, 'module') + 1;
    this.#note(costOf(block).forwardPeakBytes(this.batchSize));
    return {
      output: this.#take(bytesOf(block.outputShape, this.batchSize)),
      pass: this.#take(costOf(block).residualBytes(this.batchSize)),
    };
  }

  evaluate(
    { head }: LiteralLoss,
    module: number,
    _read: HeadInputs<number>,
    wantsCotangent: boolean,
  ): number | undefined {
    this.evaluations.push(head);
    const cost = costOfHead({ head, module }, this.compiled);
    const learnsLater = synthesizes(head);
    const synthesis = learnsLater ? cost.synthesizePeakBytes?.(this.batchSize) : undefined;
    this.#note(synthesis ?? cost.evaluatePeakBytes(this.batchSize));
    if (!learnsLater) this.#hold(head);
    return wantsCotangent ? this.#take(bytesOf(this.#block(module).outputShape, this.batchSize)) : undefined;
  }

  teach(module: number, _output: number, gradient: number): void {
    for (const { head } of this.phase.heads.get(module) ?? []) {
      if (!synthesizes(head)) continue;
      this.#note(costOfHead({ head, module }, this.compiled).evaluatePeakBytes(this.batchSize));
      this.#hold(head);
    }
    this.free(gradient);
  }

  add(sum: number, cotangent: number): number {
    this.free(cotangent);
    return sum;
  }

  vjp(module: number, _pass: number, cotangent: number, wantsInput: boolean): number | undefined {
    const block = this.#block(module);
    const parameters = !this.phase.frozen.has(module);
    this.backwards[module] = at(this.backwards, module, 'module') + (parameters ? 1 : 0.5);
    this.#note(costOf(block).vjpPeakBytes(this.batchSize, { input: wantsInput, parameters, release: true }));
    if (parameters) this.#hold(block);
    this.free(cotangent);
    return wantsInput ? this.#take(bytesOf(block.inputShape, this.batchSize)) : undefined;
  }

  release(_module: number, pass: number): void {
    this.free(pass);
  }

  free(bytes: number): void {
    this.#live -= bytes;
  }

  /** Gradients are stored until the single optimizer step. */
  #hold(owner: Block | Head): void {
    for (const { name, kind, size } of owner.parameters) {
      if (kind !== 'weight' || this.#gradients.has(name)) continue;
      this.#gradients.add(name);
      this.#live += 4 * size;
    }
  }

  #take(bytes: number): number {
    this.#live += bytes;
    return bytes;
  }

  #note(extra: number): void {
    this.peak = Math.max(this.peak, this.#live + extra);
  }

  #block(module: number): Block {
    return at(this.compiled.modules, module, 'module');
  }
}
