import { type Block, sameShape } from '@localgrad/core';
import { vjpOfMeansOf } from '@localgrad/nn/blocks';
import { type PooledEvaluation, pooledEvaluationOf } from '@localgrad/nn/heads';
import type { Tensor4D } from '@tensorflow/tfjs';
import type { ActiveHead, CompiledPhase } from './phases.js';
import type { Instruction } from './schedule.js';

/**
 * Whether the cotangent of a module's output is that of one loss, which stops at the module: where its head starts with means over
 * windows, the cotangent of these means is all that the module's VJP reads, and a map for it is not needed.
 *
 * @param starts for each objective of the heads on the module, the lowest module that it trains
 */
export function receivesOneLoss(
  schedule: readonly Instruction[],
  module: number,
  starts: readonly (number | undefined)[],
): boolean {
  const trained = starts.filter((start) => start !== undefined);
  if (trained.length !== 1 || trained[0] !== module) return false;
  let isFinished = false;
  for (const instruction of schedule) {
    const { op } = instruction;
    if (instruction.module === module) {
      if (op === 'receive') return false;
      isFinished ||= op === 'finish';
    } else if (instruction.module === module + 1) {
      if (op === 'send' || (op === 'finish' && instruction.sendTo !== undefined)) return false;
    }
  }
  // The schedule of a few modules may end before gradients of later ones arrive.
  return isFinished;
}

/** Which heads of a plan are evaluated without a map for the cotangent of their module's output. */
export class PooledEvaluations {
  readonly #isOneLoss = new WeakMap<CompiledPhase, Map<number, boolean>>();

  /** How a head is evaluated whose module needs no such map; undefined if the module needs one. */
  of(phase: CompiledPhase, { head, module }: ActiveHead): PooledEvaluation | undefined {
    const evaluation = pooledEvaluationOf(head);
    return evaluation !== undefined && this.#receivesOneLoss(phase, module) ? evaluation : undefined;
  }

  /** Searches a schedule once per module: its answer is the same in every step. */
  #receivesOneLoss(phase: CompiledPhase, module: number): boolean {
    const known = this.#isOneLoss.get(phase) ?? new Map<number, boolean>();
    this.#isOneLoss.set(phase, known);
    const found = known.get(module);
    if (found !== undefined) return found;
    const starts = (phase.heads.get(module) ?? []).flatMap(({ objectives }) => objectives.map(({ start }) => start));
    const result = receivesOneLoss(phase.schedule, module, starts);
    known.set(module, result);
    return result;
  }
}

/** The VJP of a module for a cotangent of its output, or of means over windows of it. */
export function vjpOf(module: Block, cotangent: Tensor4D): Pick<Block, 'vjp'> {
  return sameShape(cotangent.shape.slice(1), module.outputShape) ? module : vjpOfMeansOf(module);
}
