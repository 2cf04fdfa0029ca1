import type { SharedRing } from './ring.js';

/** The sending end of a connection to the next worker. */
export interface Sender {
  /** Sends a message; waits while the receiver is too far behind. */
  send(message: Uint8Array): void | Promise<void>;
}

/** The receiving end of a connection from the previous worker. */
export interface Receiver {
  /** The next message, in the order in which they were sent; waits for it. */
  receive(): Uint8Array | Promise<Uint8Array>;
}

/** A sender within a training step, which cannot await: blocks the thread. */
export interface BlockingSender extends Sender {
  send(message: Uint8Array): void;
}

/** A receiver within a training step, which cannot await: blocks the thread. */
export interface BlockingReceiver extends Receiver {
  receive(): Uint8Array;
}

/** Each message starts with its length. */
const lengthBytes = 4;

/** Sends messages through shared memory; blocks the thread while the ring is full. */
export function ringSender(ring: SharedRing): BlockingSender {
  return {
    send(message) {
      ring.write(lengthOf(message));
      ring.write(message);
    },
  };
}

/** Like `ringSender`, for threads that must not be blocked. */
export function patientRingSender(ring: SharedRing): Sender {
  return {
    async send(message) {
      await ring.writeLater(lengthOf(message));
      await ring.writeLater(message);
    },
  };
}

/** Receives messages from shared memory; blocks the thread until one is there. */
export function ringReceiver(ring: SharedRing): BlockingReceiver {
  return {
    receive() {
      const length = new Uint8Array(lengthBytes);
      ring.read(length);
      const message = new Uint8Array(new DataView(length.buffer).getUint32(0, true));
      ring.read(message);
      return message;
    },
  };
}

/** Like `ringReceiver`, for threads that must not be blocked. */
export function patientRingReceiver(ring: SharedRing): Receiver {
  return {
    async receive() {
      const length = new Uint8Array(lengthBytes);
      await ring.readLater(length);
      const message = new Uint8Array(new DataView(length.buffer).getUint32(0, true));
      await ring.readLater(message);
      return message;
    },
  };
}

function lengthOf(message: Uint8Array): Uint8Array {
  const length = new Uint8Array(lengthBytes);
  new DataView(length.buffer).setUint32(0, message.length, true);
  return length;
}
