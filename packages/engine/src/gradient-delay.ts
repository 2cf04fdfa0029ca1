import { LocalgradError, requireOption, type Span, type TrainingPlan } from '@localgrad/core';
import { readsModuleInput } from './heads.js';
import type { CompiledPhase } from './phases.js';
import { compileSchedule, type Instruction, type MemoryPolicy } from './schedule.js';

/** By how much, and where, gradients that cross from module to module arrive late. */
export interface GradientDelayOptions {
  /** Number of steps by which a gradient that crosses a cut is used late. 0: gradients are never late. */
  readonly steps: number;
  /** The first module after each of the cuts. Default: all cuts that gradients cross. */
  readonly cuts?: readonly number[];
}

/** Gradients that cross some cuts late; see `GradientDelayOptions`. */
export interface GradientDelay extends Required<GradientDelayOptions> {
  /** The modules between cuts, from the first to the last module that runs. Gradients cross between them late, or not at all. */
  readonly segments: readonly Segment[];
}

/** Adjacent modules, within which gradients are never late. */
export interface Segment {
  /** First and last module. */
  readonly range: Span;
  /** Instructions for the batch of the step: forward passes, losses, and their gradients as far as they stay in the segment. */
  readonly schedule: readonly Instruction[];
  /** Number of gradients of the batch of the step that leave the segment. */
  readonly sends: number;
  /** Gradients of earlier batches that arrive from the segment after this one, the youngest first. */
  readonly late: readonly LateBackward[];
}

/** What a segment computes for an earlier batch, with the weights of then. */
export interface LateBackward {
  /** Number of late cuts that the gradients have crossed: their batch is that of age × delay steps ago. */
  readonly age: number;
  /** Number of gradients that arrive. */
  readonly receives: number;
  /** Forward passes, which repeat those of then, and the gradients that arrived. */
  readonly schedule: readonly Instruction[];
  /** Number of gradients that leave the segment. */
  readonly sends: number;
}

interface DelaySetting {
  readonly plan: TrainingPlan;
  readonly phases: readonly [CompiledPhase, ...CompiledPhase[]];
  readonly modules: number;
  readonly memory: MemoryPolicy;
}

/**
 * Divides a plan where gradients are late; undefined where none cross, or the delay is 0.
 *
 * @throws LocalgradError `invalid-option`
 */
export function delayGradients(
  { steps, cuts }: GradientDelayOptions,
  setting: DelaySetting,
): GradientDelay | undefined {
  requireOption(Number.isInteger(steps) && steps >= 0, 'plan', 'gradientDelay', steps, 'integers ≥ 0');
  const { plan, phases, modules } = setting;
  const [phase] = phases;
  const crossed = range(1, modules).filter((cut) => phases.some((one) => isCrossed(one, cut)));
  const unknown = (cuts ?? []).find((cut) => !crossed.includes(cut));
  if (unknown !== undefined) {
    const allowed = crossed.length === 0 ? 'no cuts' : `cuts before modules ${crossed.join(', ')}`;
    const problem = `no gradient of '${plan.method}' crosses the cut before module ${unknown}, so none can be delayed there; allowed: ${allowed}.`;
    const details = { where: 'plan', option: 'gradientDelay cuts', problem, cut: unknown, allowed: crossed };
    throw new LocalgradError('invalid-option', `plan: ${problem}`, details);
  }
  const late = [...new Set(cuts ?? crossed)].sort((a, b) => a - b);
  const isTaught = phases.some(({ taught }) => taught.size > 0);
  if (steps > 0 && isTaught) reject(plan, 'its heads learn from those of the same step');
  if (steps === 0 || late.length === 0) return undefined;
  if (phases.length > 1) reject(plan, 'its plan has phases');
  if (phase.shared.size > 0) reject(plan, `several heads or modules share '${[...phase.shared.keys()][0]?.name}'`);
  return { steps, cuts: late, segments: segmentsOf(phase, new Set(late), setting) };
}

function reject({ method }: TrainingPlan, reason: string): never {
  const problem = `gradients of '${method}' cannot be delayed, because ${reason}.`;
  const details = { where: 'plan', option: 'gradientDelay', problem, method };
  throw new LocalgradError('invalid-option', `plan: ${problem}`, details);
}

/** Whether a gradient crosses backward from a module to the one before it. */
function isCrossed({ objectives }: CompiledPhase, cut: number): boolean {
  return objectives.some(({ start, span }) => start !== undefined && start < cut && cut <= span[1]);
}

/** Gradients that leave a segment: the modules at which they stop, by the number of late cuts that they will have crossed. */
type Leaving = ReadonlyMap<number, readonly number[]>;

function segmentsOf(phase: CompiledPhase, late: ReadonlySet<number>, { modules, memory }: DelaySetting): Segment[] {
  const end = Math.max(...phase.objectives.map(({ span }) => span[1]));
  const starts = range(0, end + 1).filter((module) => module === 0 || late.has(module) || !isCrossed(phase, module));
  const ranges = starts.map((start, index): Span => [start, (starts[index + 1] ?? end + 1) - 1]);
  const readers = new Set(
    [...phase.heads].flatMap(([module, group]) => (group.some(({ head }) => readsModuleInput(head)) ? [module] : [])),
  );
  const compile = (spans: readonly Span[], last: number, inputReaders = new Set<number>()) =>
    compileSchedule(spans, modules, memory, phase.frozen, { inputReaders, end: last });
  const segments: Segment[] = [];
  let arriving: Leaving = new Map();
  for (const [first, last] of ranges.reverse()) {
    const isInside = ({ module }: Instruction) => first <= module && module <= last;
    const own = phase.objectives.map(({ span }) => span).filter(([, to]) => first <= to && to <= last);
    const schedule = compile(own, end, readers).filter(isInside);
    const leaving = new Map([[1, leavingOf(schedule, first)]]);
    const backward = [...arriving].map(([age, stops]): LateBackward => {
      const repeated = compile(
        stops.map((stop) => [stop, last]),
        last,
      ).filter(isInside);
      const receives = stops.map((from): Instruction => ({ op: 'receive', module: last, from }));
      const instructions = repeated.flatMap((one) => (one.op === 'evaluate' ? receives : [one]));
      const further = leavingOf(instructions, first);
      leaving.set(age + 1, further);
      return { age, receives: stops.length, schedule: instructions, sends: further.length };
    });
    segments.unshift({ range: [first, last], schedule, sends: leaving.get(1)?.length ?? 0, late: backward });
    arriving = new Map([...leaving].filter(([, stops]) => stops.length > 0));
  }
  return segments;
}

/** Where the gradients stop that leave a segment, in the order in which they leave. */
function leavingOf(schedule: readonly Instruction[], first: number): number[] {
  return schedule.flatMap((one) => {
    if (one.module !== first) return [];
    if (one.op === 'send') return [one.from];
    return one.op === 'finish' && one.sendTo !== undefined ? [one.sendTo] : [];
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
