import { at, type Parameter, type Span } from '@localgrad/core';
import type { CompiledPlan } from './compile.js';
import { batchTargetsOf } from './heads.js';
import type { CompiledPhase } from './phases.js';
import { predictPeak } from './prediction.js';

/**
 * The part of a compiled plan that runs consecutive modules: its steps receive the output of the module before the range
 * in place of images, and compute the losses and updates of the range as a step of the whole plan does. It contains only
 * the parameters of its modules and heads.
 *
 * Gradients must not leave the range, and its weights must not be used outside of it.
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
  const phasePart = (phase: CompiledPhase): CompiledPhase => ({
    ...phase,
    objectives: phase.objectives.filter(({ span }) => isInside(span[1])),
    heads: insideOf(phase.heads, isInside),
    schedule: phase.schedule.filter(({ module }) => isInside(module)),
    continues: phase.continues || phase.schedule.some(({ module }) => module > range[1]),
  });
  const [first, ...others] = compiled.phases;
  const phases: CompiledPlan['phases'] = [phasePart(first), ...others.map(phasePart)];
  const part = {
    ...compiled,
    range,
    objectives: compiled.objectives.filter(({ span }) => isInside(span[1])),
    heads,
    phases,
    reads: [...new Set(all.flatMap(({ head }) => batchTargetsOf(head)))],
    averages: compiled.averages.filter(({ head }) => keys.has(head)),
    parameters: new Map([...compiled.parameters].filter(([, parameter]) => owned.has(parameter))),
  };
  return {
    ...part,
    phaseAt: (clock) => at(phases, compiled.phases.indexOf(compiled.phaseAt(clock)), 'phase'),
    predict: (batchSize, options) => predictPeak(part, batchSize, options),
  };
}

function insideOf<Value>(
  byModule: ReadonlyMap<number, Value>,
  isInside: (module: number) => boolean,
): Map<number, Value> {
  return new Map([...byModule].filter(([module]) => isInside(module)));
}
