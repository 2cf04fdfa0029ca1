import { sum } from './sum.js';

/** What a segment keeps of earlier steps where gradients are late. */
export interface KeptBySegment {
  /** Number of steps whose inputs and weights are kept; 0 if no gradient arrives late. */
  readonly oldest: number;
  /** Of a step: all micro-batches. */
  readonly inputBytes: number;
  /** Whether the input is the batch itself, which is in memory anyway while it is trained on. */
  readonly isBatch: boolean;
  /** Of a step. */
  readonly weightBytes: number;
  /** Gradients of a step that arrive across one late cut: they leave the next segment in each micro-batch. */
  readonly youngBytes: number;
  /** Gradients of a step that arrive across several: they leave the next segment after the last micro-batch. */
  readonly oldBytes: number;
  /** Whether they come from a segment that runs here, and not from another part of the plan. */
  readonly isReceived: boolean;
}

/** A micro-batch of a step, by its index. */
interface MicroBatch {
  readonly part: number;
  readonly parts: number;
}

/**
 * Bytes that are kept between two steps. Gradients that another part has sent count, too: they are received when they are used, but
 * after a checkpoint they are here.
 */
export function keptBetweenSteps(segments: readonly KeptBySegment[], delay: number): number {
  return sum(
    segments.map(
      ({ oldest, inputBytes, weightBytes, youngBytes, oldBytes }) =>
        oldest * (inputBytes + weightBytes) + delay * (youngBytes + oldBytes),
    ),
  );
}

/** By how much more is kept while a segment runs on a micro-batch; negative where gradients have been used and not yet replaced. */
export function keptWithinStep(segments: readonly KeptBySegment[], running: number, micro: MicroBatch): number {
  const changes = segments.map((segment, index) => {
    return inputChange(segment, index - running, micro) + gradientChange(segment, index - running, micro);
  });
  return Math.ceil(sum(changes));
}

/** @param offset index of the segment after the one that is running */
function inputChange(
  { oldest, inputBytes, isBatch }: KeptBySegment,
  offset: number,
  { part, parts }: MicroBatch,
): number {
  if (oldest === 0) return 0;
  const hasRun = offset <= 0;
  const added = (inputBytes * (hasRun ? part + 1 : part)) / parts;
  const shared = isBatch && hasRun ? inputBytes / parts : 0;
  const freed = offset < 0 && part === parts - 1 ? inputBytes : 0;
  return added - shared - freed;
}

/** @param offset index of the segment after the one that is running */
function gradientChange(
  { youngBytes, oldBytes, isReceived }: KeptBySegment,
  offset: number,
  { part, parts }: MicroBatch,
): number {
  const isLast = part === parts - 1;
  const used = offset < 0 && isLast ? youngBytes + oldBytes : 0;
  if (!isReceived) return -used;
  // The next segment has run if it is before the running one.
  const hasSent = offset < -1;
  return (youngBytes * (hasSent ? part + 1 : part)) / parts + (hasSent && isLast ? oldBytes : 0) - used;
}
