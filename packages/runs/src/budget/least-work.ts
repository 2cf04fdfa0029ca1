/** A state of a network that is cut from its first block to its last. */
export interface CutState {
  /** Equal for states with the same continuations. */
  readonly key: string;
  /** Number of blocks that are cut so far. */
  readonly position: number;
}

/** The next module. */
export interface NextModule<State extends CutState> {
  readonly to: State;
  readonly isRecomputed: boolean;
  /** Multiply-accumulates per sample, heads included. */
  readonly work: number;
  /** Bytes that stay in memory. */
  readonly fixedBytes: number;
  /** Peak bytes of all else. */
  readonly peakBytes: number;
}

/** All ways to cut a network. */
export interface Cuts<State extends CutState> {
  readonly start: State;
  /** Number of blocks. */
  readonly blocks: number;
  /**
   * `stacked`: the fixed bytes of the modules before are in memory while a module is at its peak. `resident`: those of all
   * modules are.
   */
  readonly fixed: 'stacked' | 'resident';
  /** Whether the peaks of cuts with the same work are compared; false where that takes long. */
  readonly comparesTies: boolean;
  /** At least as many fixed bytes as any cut has. */
  readonly mostFixedBytes: number;
  /** No more multiply-accumulates than any cut of the blocks from `position`. */
  leastWorkFrom(position: number): number;
  next(state: State): Iterable<NextModule<State>>;
}

/** A cut of the whole network. */
export interface FoundCut {
  readonly partition: readonly number[];
  /** Indices of the recomputed modules. */
  readonly recompute: readonly number[];
  readonly work: number;
  readonly peakBytes: number;
}

/** A cut of the first blocks. */
interface Label {
  readonly work: number;
  readonly fixedBytes: number;
  readonly peakBytes: number;
  readonly modules: number;
  readonly before?: Label;
  readonly position: number;
  readonly isRecomputed: boolean;
}

const nothing: Label = { work: 0, fixedBytes: 0, peakBytes: 0, modules: 0, position: 0, isRecomputed: false };

/**
 * The cut with the least work whose peak is at most `limit`; of several, the one with the lowest peak, or, if these are
 * not compared, with the fewest modules.
 *
 * @param enoughWork work of a cut that is known to fit
 */
export function leastWork<State extends CutState>(
  cuts: Cuts<State>,
  limit: number,
  enoughWork = Number.POSITIVE_INFINITY,
): FoundCut | undefined {
  const rank = ({ work, modules }: Label) => [work, modules];
  if (cuts.fixed === 'stacked') return search(cuts, { limit, ample: limit, rank });
  // Fixed bytes are few in most methods: if the best cut without them fits with them, then it is the best cut.
  const light = search(withoutFixedBytes(cuts), { limit, ample: limit, mostWork: enoughWork, rank });
  const first = light && followCut(cuts, light.partition, light.recompute);
  // Peaks below this fit with any fixed bytes.
  const ample = Math.max(0, limit - cuts.mostFixedBytes);
  const isFitting = first !== undefined && first.peakBytes <= limit;
  const found = isFitting ? first : search(cuts, { limit, ample, mostWork: enoughWork, rank });
  if (found === undefined || !cuts.comparesTies) return found;
  const mostWork = found.work * (1 + 1e-12);
  return search(cuts, { limit, ample: 0, mostWork, rank: (label) => [totalOf(cuts, label), label.modules] });
}

function withoutFixedBytes<State extends CutState>(cuts: Cuts<State>): Cuts<State> {
  return {
    ...cuts,
    *next(state) {
      for (const module of cuts.next(state)) yield { ...module, fixedBytes: 0 };
    },
  };
}

/** The cut with the lowest peak. */
export function lowestPeak<State extends CutState>(cuts: Cuts<State>): FoundCut | undefined {
  const ignoringWork: Cuts<State> = {
    ...cuts,
    *next(state) {
      for (const module of cuts.next(state)) yield { ...module, work: 0 };
    },
  };
  const limit = Number.POSITIVE_INFINITY;
  return search(ignoringWork, { limit, ample: 0, rank: (label) => [totalOf(cuts, label), label.modules] });
}

/** A given cut; undefined if it is none of `cuts`. */
export function followCut<State extends CutState>(
  cuts: Cuts<State>,
  partition: readonly number[],
  recompute: readonly number[],
): FoundCut | undefined {
  let reached: readonly { readonly state: State; readonly label: Label }[] = [{ state: cuts.start, label: nothing }];
  partition.forEach((size, index) => {
    reached = reached.flatMap(({ state, label }) =>
      [...cuts.next(state)]
        .filter(({ to }) => to.position === state.position + size)
        .filter(({ isRecomputed }) => isRecomputed === recompute.includes(index))
        .map((module) => ({ state: module.to, label: extend(cuts, label, module, 0) })),
    );
  });
  const found = reached.find(({ state }) => state.position === cuts.blocks);
  return found === undefined ? undefined : { ...describe(found.label), peakBytes: totalOf(cuts, found.label) };
}

function totalOf<State extends CutState>({ fixed }: Cuts<State>, { fixedBytes, peakBytes }: Label): number {
  return fixed === 'resident' ? fixedBytes + peakBytes : peakBytes;
}

interface SearchOptions {
  /** Bytes. */
  readonly limit: number;
  /** Multiply-accumulates. Default: unlimited. */
  readonly mostWork?: number;
  /** Peak bytes up to which no difference matters. */
  readonly ample: number;
  /** Order of the results; the first one is returned. */
  rank(label: Label): readonly number[];
}

/**
 * Keeps, for each state, the cuts that no other cut of the same blocks beats in work, fixed bytes and peak. All three only
 * grow by further modules, and by the same amounts for equal states, so that no other cut can lead to a better result.
 */
function search<State extends CutState>(
  cuts: Cuts<State>,
  { limit, mostWork = Number.POSITIVE_INFINITY, ample, rank }: SearchOptions,
): FoundCut | undefined {
  const byPosition = Array.from({ length: cuts.blocks }, () => new Map<string, { state: State; labels: Label[] }>());
  byPosition[0]?.set(cuts.start.key, { state: cuts.start, labels: [nothing] });
  let best: Label | undefined;
  for (const states of byPosition) {
    for (const { state, labels } of states.values()) {
      for (const module of cuts.next(state)) {
        const arrived = labels.flatMap((label) => extend(cuts, label, module, ample)).filter(isWithin);
        if (module.to.position === cuts.blocks) {
          for (const label of arrived) if (best === undefined || isBefore(rank(label), rank(best))) best = label;
          continue;
        }
        const place = byPosition[module.to.position];
        const known = place?.get(module.to.key) ?? { state: module.to, labels: [] };
        place?.set(module.to.key, known);
        for (const label of arrived) addUnlessBeaten(known.labels, label);
      }
    }
    states.clear();
  }
  return best === undefined ? undefined : { ...describe(best), peakBytes: totalOf(cuts, best) };

  function isWithin(label: Label): boolean {
    return totalOf(cuts, label) <= limit && label.work + cuts.leastWorkFrom(label.position) <= mostWork;
  }
}

function extend<State extends CutState>(
  { fixed }: Cuts<State>,
  before: Label,
  { to, isRecomputed, work, fixedBytes, peakBytes }: NextModule<State>,
  ample: number,
): Label {
  const peak = Math.max(ample, fixed === 'stacked' ? before.fixedBytes + peakBytes : peakBytes);
  return {
    work: before.work + work,
    fixedBytes: before.fixedBytes + fixedBytes,
    peakBytes: Math.max(before.peakBytes, peak),
    modules: before.modules + 1,
    before,
    position: to.position,
    isRecomputed,
  };
}

function addUnlessBeaten(labels: Label[], label: Label): void {
  const beats = (a: Label, b: Label) => a.work <= b.work && a.fixedBytes <= b.fixedBytes && a.peakBytes <= b.peakBytes;
  if (labels.some((other) => beats(other, label))) return;
  let kept = 0;
  for (const other of labels) if (!beats(label, other)) labels[kept++] = other;
  labels.length = kept;
  labels.push(label);
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, position) => value !== b[position]);
  return index >= 0 && Number(a[index]) < Number(b[index]);
}

function describe(last: Label): Omit<FoundCut, 'peakBytes'> {
  const labels: Label[] = [];
  for (let label: Label | undefined = last; label?.before !== undefined; label = label.before) labels.unshift(label);
  return {
    partition: labels.map(({ position, before }) => position - (before?.position ?? 0)),
    recompute: labels.flatMap(({ isRecomputed }, module) => (isRecomputed ? [module] : [])),
    work: last.work,
  };
}
