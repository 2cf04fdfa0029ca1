import { LocalgradError } from '@localgrad/core';
import { type BatchPart, splitBatch } from '@localgrad/engine';
import type { Receiver } from './channel.js';
import { type BatchData, batchOf, decodeMessage, type StepMessage } from './message.js';

/** The micro-batches of a step on one worker. */
export interface MicroBatches {
  readonly parts: readonly BatchPart[];
  /** Frees what they have in common. */
  dispose(): void;
}

/** Splits the batch of a step, on the first worker. */
export function splitMicroBatches({ batch }: StepMessage, count: number): MicroBatches {
  if (batch === undefined) return { parts: [], dispose: () => {} };
  const whole = batchOf(batch);
  return { parts: splitBatch(whole, count), dispose: () => whole.dispose() };
}

/**
 * Receives the micro-batches of a step, of which the first has arrived.
 *
 * @param isImmediate whether the previous worker waits for gradients of a micro-batch before it sends the next one
 */
export async function receiveMicroBatches(
  { samples, batch }: StepMessage,
  input: Receiver,
  isImmediate: boolean,
): Promise<MicroBatches> {
  const [first, ...others] = samples;
  const parts: BatchPart[] = [];
  if (batch !== undefined && first !== undefined) parts.push(microBatch(first, () => batch));
  for (const size of others) {
    if (isImmediate) parts.push(microBatch(size, () => batchIn(receiveNow(input))));
    else {
      const received = batchIn(await input.receive());
      parts.push(microBatch(size, () => received));
    }
  }
  return { parts, dispose: () => {} };
}

/** A micro-batch that has arrived, whose tensors exist while it is used. */
export function arrivedMicroBatch(data: BatchData): BatchPart {
  const [samples = 0] = data.get('images')?.shape ?? [];
  return microBatch(samples, () => data);
}

function microBatch(samples: number, data: () => BatchData): BatchPart {
  return {
    samples,
    with: (use) => {
      const batch = batchOf(data());
      try {
        return use(batch);
      } finally {
        batch.dispose();
      }
    },
  };
}

function batchIn(bytes: Uint8Array): BatchData {
  const message = decodeMessage(bytes);
  if (message.kind === 'step' && message.batch !== undefined) return message.batch;
  throw new LocalgradError('misuse', `A worker received '${message.kind}' in place of a micro-batch.`);
}

/** A step that has begun cannot await its next micro-batch. */
function receiveNow(input: Receiver): Uint8Array {
  const bytes = input.receive();
  if (bytes instanceof Uint8Array) return bytes;
  throw new LocalgradError('misuse', 'Gradients cross this cut, which requires a connection that blocks the thread.');
}
