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

/** How a head is evaluated whose module needs no map for the cotangent of its output; undefined if the module needs one. */
export function pooledEvaluationIn(
  { heads, schedule }: Pick<CompiledPhase, 'heads' | 'schedule'>,
  { head, module }: ActiveHead,
): PooledEvaluation | undefined {
  const starts = (heads.get(module) ?? []).flatMap(({ objectives }) => objectives.map(({ start }) => start));
  return receivesOneLoss(schedule, module, starts) ? pooledEvaluationOf(head) : undefined;
}

/** The VJP of a module for a cotangent of its output, or of means over windows of it. */
export function vjpOf(module: Block, cotangent: Tensor4D): Pick<Block, 'vjp'> {
  return sameShape(cotangent.shape.slice(1), module.outputShape) ? module : vjpOfMeansOf(module);
}
