import type { Scalar } from '../scalars.js';
import type { Histogram } from './histogram.js';
import type { PngHeader } from './png-header.js';
import { MessageEncoder } from './protobuf.js';

/** Time of an event. */
export interface EventTime {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
}

/** First event of every file; without it TensorBoard assumes an old format. */
export function versionEvent(wallTime: number): Uint8Array {
  return event({ wallTime, step: 0 }).text(3, 'brain.Event:2').encode();
}

/** Makes TensorBoard discard what earlier files contain for `step` and later steps. */
export function sessionStartEvent(time: EventTime): Uint8Array {
  const start = 1;
  return event(time).message(7, new MessageEncoder().integer(1, start)).encode();
}

export function scalarsEvent(time: EventTime, scalars: readonly Scalar[]): Uint8Array {
  return summaryEvent(
    time,
    scalars.map(({ tag, value }) => new MessageEncoder().text(1, tag).chosenFloat(2, value)),
  );
}

export function imageEvent(time: EventTime, tag: string, png: Uint8Array, header: PngHeader): Uint8Array {
  const image = new MessageEncoder()
    .integer(1, header.height)
    .integer(2, header.width)
    .integer(3, header.channels)
    .bytes(4, png);
  return summaryEvent(time, [new MessageEncoder().text(1, tag).message(4, image)]);
}

export function histogramEvent(time: EventTime, tag: string, histogram: Histogram): Uint8Array {
  const message = new MessageEncoder()
    .double(1, histogram.min)
    .double(2, histogram.max)
    .double(3, histogram.count)
    .double(4, histogram.sum)
    .double(5, histogram.sumOfSquares)
    .packedDoubles(6, histogram.limits)
    .packedDoubles(7, histogram.counts);
  return summaryEvent(time, [new MessageEncoder().text(1, tag).message(5, message)]);
}

function summaryEvent(time: EventTime, values: readonly MessageEncoder[]): Uint8Array {
  const summary = new MessageEncoder();
  for (const value of values) summary.message(1, value);
  return event(time).message(5, summary).encode();
}

function event({ wallTime, step }: EventTime): MessageEncoder {
  return new MessageEncoder().double(1, wallTime).integer(2, step);
}
