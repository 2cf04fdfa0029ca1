import type { HeadsCost, ModuleCost } from '@localgrad/engine';
import type { CutState, Cuts, NextModule } from './least-work.js';
import type { PartCosts } from './part-costs.js';

/**
 * End-to-end training in segments: the output of each segment is stored until the backward pass reaches it, and its
 * residuals too, unless they are recomputed. The last segment is never recomputed, since its backward pass follows its forward
 * pass.
 */
export function endToEndCuts(parts: PartCosts, classifier: HeadsCost): Cuts<CutState> {
  const blocks = parts.blocks.length;
  return {
    start: stateAt(0),
    blocks,
    fixed: 'stacked',
    comparesTies: false,
    mostFixedBytes: Number.POSITIVE_INFINITY,
    leastWorkFrom: (position) => parts.trainingWorkFrom(position),
    *next({ position }) {
      for (let end = position + 1; end <= blocks; end++) {
        const cost = parts.of(position, end);
        const to = stateAt(end);
        yield stored(cost, to, position === 0, end === blocks ? classifier : undefined);
        if (end < blocks) yield recomputed(cost, to, position === 0);
      }
    },
  };
}

function stateAt(position: number): CutState {
  return { key: String(position), position };
}

function stored(cost: ModuleCost, to: CutState, isFirst: boolean, head: HeadsCost | undefined): NextModule<CutState> {
  const fixedBytes = cost.outputBytes + cost.residualBytes;
  const evaluations = head?.loads.map(({ evaluatePeakBytes }) => fixedBytes + evaluatePeakBytes) ?? [];
  return {
    to,
    isRecomputed: false,
    work: 3 * cost.multiplyAccumulates + (head?.multiplyAccumulates ?? 0),
    fixedBytes,
    peakBytes: Math.max(cost.forwardPeakBytes, ...evaluations, backwardBytes(cost, isFirst)),
  };
}

function recomputed(cost: ModuleCost, to: CutState, isFirst: boolean): NextModule<CutState> {
  const again = cost.outputBytes + cost.forwardPeakBytes;
  return {
    to,
    isRecomputed: true,
    work: 4 * cost.multiplyAccumulates,
    fixedBytes: cost.outputBytes,
    peakBytes: Math.max(cost.passingPeakBytes, again, backwardBytes(cost, isFirst)),
  };
}

/** The pass, the cotangent of its output, and the VJP. */
function backwardBytes(cost: ModuleCost, isFirst: boolean): number {
  const vjp = cost.vjpPeakBytes({ input: !isFirst, parameters: true, release: true });
  return 2 * cost.outputBytes + cost.residualBytes + vjp;
}
