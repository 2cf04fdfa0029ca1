import { at, type Parameter, type Span } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import { batchTargetsOf } from './heads.js';
import type { CompiledPhase } from './phases.js';
import { predictPeak } from './prediction.js';
import type { Instruction } from './schedule.js';

/**
 * The part of a compiled plan that runs consecutive modules: its steps receive the output of the module before the range
 * in place of images, and compute the losses and updates of the range as a step of the whole plan does. It contains only
 * the parameters of its modules and heads.
 *
 * A gradient that leaves the range crosses from part to part: see `crossings` of `createExecutor`. Where some gradients are
 * delayed, a range consists of whole segments. The range's weights must
 * not be used outside of it, except by averages that follow them.
 *
 * @param range first and last module
 */
export function partOf(compiled: CompiledPlan, range: Span): CompiledPlan {
  const isInside = (module: number) => range[0] <= module && module <= range[1];
  const heads = insideOf(compiled.heads, isInside);
  const all = [...heads.values()].flat();
  const blocks = compiled.network.modules.filter(({ index }) => isInside(index)).flatMap((module) => module.blocks);
  const owned = new Set<Parameter>(
    [...blocks, ...all.map(({ head }) => head)].flatMap((owner) => [
      ...owner.parameters,
      ...owner.statistics,
      ...('state' in owner ? (owner.state ?? []) : []),
    ]),
  );
  const keys = new Set(all.map(({ key }) => key));
  const averages = compiled.averages.filter(({ head }) => keys.has(head));
  const sources = new Set(averages.map(({ source }) => source));
  const histories = compiled.histories.filter(({ values }) => values.some((value) => sources.has(value)));
  for (const value of histories.flatMap(({ values }) => values)) owned.add(value);
  const phasePart = (phase: CompiledPhase): CompiledPhase => ({
    ...phase,
    objectives: phase.objectives.filter(({ span }) => isInside(span[1])),
    heads: insideOf(phase.heads, isInside),
    schedule: phase.schedule.flatMap((instruction) => within(instruction, range)),
    continues: phase.continues || phase.schedule.some(({ module }) => module > range[1]),
  });
  const { gradientDelay } = compiled;
  const segments = gradientDelay?.segments.filter((segment) => segment.range.every(isInside));
  const [first, ...others] = compiled.phases;
  const phases: CompiledPlan['phases'] = [phasePart(first), ...others.map(phasePart)];
  const part = {
    ...compiled,
    range,
    objectives: compiled.objectives.filter(({ span }) => isInside(span[1])),
    heads,
    phases,
    reads: [...new Set(all.flatMap(({ head }) => batchTargetsOf(head)))],
    gradientDelay: gradientDelay === undefined ? undefined : { ...gradientDelay, segments: segments ?? [] },
    averages,
    histories,
    parameters: new Map([...compiled.parameters].filter(([, parameter]) => owned.has(parameter))),
  };
  return {
    ...part,
    phaseAt: (clock) => at(phases, compiled.phases.indexOf(compiled.phaseAt(clock)), 'phase'),
    predict: (batchSize, options) => predictPeak(part, batchSize, options),
  };
}

/** An instruction of the plan in a part: its own, or the receipt of a gradient from the module after the range. */
function within(instruction: Instruction, [first, last]: Span): Instruction[] {
  const { module } = instruction;
  if (first <= module && module <= last) return [instruction];
  if (module !== last + 1) return [];
  if (instruction.op === 'send') return [{ op: 'receive', module: last, from: instruction.from }];
  if (instruction.op === 'finish' && instruction.teaches === true) return [{ op: 'teach', module: last }];
  if (instruction.op !== 'finish' || instruction.sendTo === undefined) return [];
  return [{ op: 'receive', module: last, from: instruction.sendTo }];
}

function insideOf<Value>(
  byModule: ReadonlyMap<number, Value>,
  isInside: (module: number) => boolean,
): Map<number, Value> {
  return new Map([...byModule].filter(([module]) => isInside(module)));
}
