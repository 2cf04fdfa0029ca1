import { at, type Span } from '@localgrad/core';
import {
  compileSchedule,
  type HeadLoad,
  type Instruction,
  type ModuleCost,
  predictBytes,
  unitsOf,
} from '@localgrad/engine';
import type { CutState, Cuts, NextModule } from './least-work.js';
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
    comparesTies: window === 1,
    mostFixedBytes: mostFixedBytes(),
    leastWorkFrom: (position) => parts.trainingWorkFrom(position),
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

  /** Each block is the last one of at most one module. */
  function mostFixedBytes(): number {
    const byEnd = Array.from({ length: blocks - 1 }, (_, index) => index + 1).map((end) =>
      parts.firstOfEachShape(end).flatMap((start) => {
        const before = Math.min(start, window - 1);
        const open = Array.from({ length: before }, (_, index) => ({ start: start - before + index }));
        return followersOf(end).map((following) => headsOf(open, start, end, following)?.cost.fixedBytes ?? 0);
      }),
    );
    return byEnd.reduce((sum, bytes) => sum + Math.max(0, ...bytes), 0);
  }

  function followersOf(end: number): readonly LocalState['next'][] {
    if (end === blocks || !heads.dependOnEnd) return ['any'];
    return end === blocks - 1 ? ['last'] : ['last', 'inner'];
  }

  function headsOf(
    open: readonly Pick<CutModule, 'start'>[],
    start: number,
    end: number,
    following: LocalState['next'],
  ) {
    const isBeforeLast = end < blocks && (following === 'last' || end === blocks - 1);
    return heads.at({ before: open.map((module) => module.start), start, end, isBeforeLast });
  }

  /** Of the last of these modules, from its forward pass until that of the next one. */
  function costOf(modules: readonly CutModule[], isLast: boolean): Omit<NextModule<LocalState>, 'to' | 'isRecomputed'> {
    const schedule = schedules.of(modules, isLast);
    const costs = modules.map(({ start, end }) => parts.of(start, end));
    const loads = new Map(modules.map((module, index) => [index, loadsOf(module, index)]));
    const { times } = predictBytes({ modules: costs, heads: loads, shared: new Map() }, schedule, 0, {
      countsLosses: false,
    });
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
    let key = isLast ? 'last' : '';
    for (const { heads, isRecomputed } of modules) key += isRecomputed ? `;r${heads.depths}` : `;${heads.depths}`;
    const known = this.#known.get(key) ?? this.#compile(modules, isLast);
    this.#known.set(key, known);
    return known;
  }

  #compile(modules: readonly CutModule[], isLast: boolean): readonly Instruction[] {
    const count = modules.length;
    const spans = modules.flatMap(({ heads }, index) =>
      heads.losses.flat().map((depth): Span => [startOf(index, depth), index]),
    );
    const recompute = modules.flatMap(({ isRecomputed }, index) => (isRecomputed ? [index] : []));
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

/** Gradients that go further down than these modules have gone already; what is left stops at the module itself. */
function startOf(index: number, depth: number): number {
  return depth <= index ? index - depth : index;
}

function loadsOf({ heads }: CutModule, index: number): readonly HeadLoad[] {
  return heads.cost.loads.map((load, head) => ({
    ...load,
    starts: at(heads.losses, head, 'head').map((depth) => startOf(index, depth)),
  }));
}

/** Multiply-accumulates of modules while the last of them is the newest. */
function workAt(last: number, schedule: readonly Instruction[], costs: readonly ModuleCost[]): number {
  const start = schedule.findIndex(({ op, module }) => op === 'forward' && module === last);
  return schedule
    .slice(Math.max(0, start))
    .reduce((sum, one) => sum + unitsOf(one) * at(costs, one.module, 'module').multiplyAccumulates, 0);
}
