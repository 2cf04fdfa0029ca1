import { at, type Span } from '@localgrad/core';
import {
  compileSchedule,
  type HeadLoad,
  type Instruction,
  type ModuleCost,
  predictBytes,
  unitsOf,
} from '@localgrad/engine';
import type { Cuts, CutState, NextModule } from './least-work.js';
import type { LocalHeads, ModuleHeads } from './local-heads.js';
import type { PartCosts } from './part-costs.js';

interface CutModule {
  readonly start: number;
  readonly end: number;
  readonly isRecomputed: boolean;
  readonly heads: ModuleHeads;
}

interface LocalState extends CutState {
  /** The modules before that the next loss may train. */
  readonly open: readonly CutModule[];
  readonly next: 'last' | 'inner' | 'any';
}

/**
 * Local methods whose losses train at most `window` modules each. Work and memory of a module then depend on the
 * `window` − 1 modules before it, and on no others. A single module is left out: it would be trained end to end.
 */
export function localCuts(parts: PartCosts, heads: LocalHeads, window: number): Cuts<LocalState> {
  const blocks = parts.blocks.length;
  const schedules = new Schedules(window);
  return {
    start: stateOf([], 0, 'inner'),
    blocks,
    fixed: 'resident',
    *next({ open, position, next }) {
      const ends = Array.from({ length: blocks - position }, (_, index) => position + 1 + index).filter(
        (end) => next === 'any' || (end === blocks) === (next === 'last'),
      );
      for (const end of ends) {
        for (const following of followersOf(end)) {
          const own = headsOf(open, position, end, following);
          if (own === undefined) continue;
          for (const isRecomputed of window > 1 && end < blocks ? [false, true] : [false]) {
            const modules = [...open, { start: position, end, isRecomputed, heads: own }];
            const to = stateOf(window === 1 ? [] : modules.slice(1 - window), end, following);
            yield { to, isRecomputed, ...costOf(modules, end === blocks) };
          }
        }
      }
    },
  };

  function followersOf(end: number): readonly LocalState['next'][] {
    if (end === blocks || !heads.dependOnEnd) return ['any'];
    return end === blocks - 1 ? ['last'] : ['last', 'inner'];
  }

  function headsOf(open: readonly CutModule[], start: number, end: number, following: LocalState['next']) {
    const isBeforeLast = end < blocks && (following === 'last' || end === blocks - 1);
    return heads.at({ before: open.map((module) => module.start), start, end, isBeforeLast });
  }

  /** Of the last of these modules, from its forward pass until that of the next one. */
  function costOf(modules: readonly CutModule[], isLast: boolean): Omit<NextModule<LocalState>, 'to' | 'isRecomputed'> {
    const schedule = schedules.of(modules, isLast);
    const costs = modules.map(({ start, end }) => parts.of(start, end));
    const loads = new Map(modules.map((module, index) => [index, loadsOf(module, index)]));
    const { times } = predictBytes({ modules: costs, heads: loads, shared: new Map() }, schedule);
    const last = modules.length - 1;
    const { cost } = at(modules, last, 'module').heads;
    const inputBytes = at(modules, 0, 'module').start === 0 ? 0 : at(costs, 0, 'module').inputBytes;
    return {
      work: workAt(last, schedule, costs) + cost.multiplyAccumulates,
      fixedBytes: cost.fixedBytes,
      peakBytes: inputBytes + at(times, last, 'module'),
    };
  }
}

function stateOf(open: readonly CutModule[], position: number, next: LocalState['next']): LocalState {
  const modules = open.map(({ start, isRecomputed }) => `${start}${isRecomputed ? 'r' : ''}`);
  return { key: `${modules.join(' ')} ${next}`, position, open, next };
}

/** Schedules of a few consecutive modules, up to the time when the next one would run. */
class Schedules {
  readonly #known = new Map<string, readonly Instruction[]>();

  constructor(readonly window: number) {}

  of(modules: readonly CutModule[], isLast: boolean): readonly Instruction[] {
    const spans = modules.flatMap(({ heads }, index) => {
      const depths = new Set(heads.depths.flat());
      return [...depths].map((depth): Span => [Math.max(0, index - depth), index]);
    });
    const recompute = modules.flatMap(({ isRecomputed }, index) => (isRecomputed ? [index] : []));
    const key = `${spans.join(';')} ${recompute.join()} ${modules.length} ${isLast}`;
    const known = this.#known.get(key) ?? this.#compile(spans, recompute, modules.length, isLast);
    this.#known.set(key, known);
    return known;
  }

  #compile(spans: readonly Span[], recompute: number[], count: number, isLast: boolean): readonly Instruction[] {
    // Later losses, which train the same modules.
    const later = isLast ? 0 : this.window - 1;
    const following = Array.from({ length: later }, (_, index): Span => {
      const to = count + index;
      return [Math.max(0, to - this.window + 1), to];
    });
    const all = [...spans, ...following];
    const schedule = all.length === 0 ? [] : compileSchedule(all, count + later, { recompute });
    const end = schedule.findIndex(({ module }) => module >= count);
    return end < 0 ? schedule : schedule.slice(0, end);
  }
}

function loadsOf({ heads }: CutModule, index: number): readonly HeadLoad[] {
  return heads.cost.loads.map((load, head) => ({
    ...load,
    starts: at(heads.depths, head, 'head').map((depth) => Math.max(0, index - depth)),
  }));
}

/** Multiply-accumulates of modules while the last of them is the newest. */
function workAt(last: number, schedule: readonly Instruction[], costs: readonly ModuleCost[]): number {
  const start = schedule.findIndex(({ op, module }) => op === 'forward' && module === last);
  return schedule
    .slice(Math.max(0, start))
    .reduce((sum, one) => sum + unitsOf(one) * at(costs, one.module, 'module').multiplyAccumulates, 0);
}
