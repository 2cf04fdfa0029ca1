import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import { crc32 } from '@localgrad/core';
import { ConnectionLost } from './link-error.js';
import { Turnstile } from './turnstile.js';

// That of zlib is ten times faster. Node.js 21 to 22.1 have none.
const checksumOf: (bytes: Uint8Array) => number = zlib.crc32 ?? crc32;

/** In front of each message: its length and its CRC-32. */
const headerBytes = 8;

/** Largest message, in bytes: what a stranger sends takes no memory. */
export const messageSizes = { stranger: 64, introduction: 2 ** 20, peer: 2 ** 31 - 1 } as const;

/** Seconds that the other end has to close its side. */
const closing = 2;

/** Time limits of connections, in seconds. */
export interface LinkLimits {
  /** Without any sign of life, a machine counts as lost. Default 10. */
  readonly silence?: number;
  /** A machine that accepts no message for this long counts as lost. Default 900. */
  readonly stall?: number;
  /** Time to wait for other machines at the start. Default 120. */
  readonly join?: number;
}

export const defaultLimits = { silence: 10, stall: 900, join: 120 } as const satisfies LinkLimits;

/**
 * Messages over a stream of bytes, with a length and a checksum each. An empty message is a sign of life, which is sent
 * regularly while nothing else is. Neither end stores messages: the sender waits until the receiver reads.
 */
export class Connection {
  readonly #stream: Duplex;
  readonly #silence: number;
  readonly #stall: number;
  readonly #heartbeat: NodeJS.Timeout;
  /** Bytes that have been read from the stream and belong to the next message. */
  #rest: Uint8Array = new Uint8Array();
  #lost: ConnectionLost | undefined;
  readonly #readable = new Turnstile();
  readonly #writable = new Turnstile();
  /** Largest message that is accepted. The other end is a stranger at first. */
  largest: number = messageSizes.stranger;

  constructor(stream: Duplex, { silence = defaultLimits.silence, stall = defaultLimits.stall }: LinkLimits = {}) {
    this.#stream = stream;
    this.#silence = silence;
    this.#stall = stall;
    stream.on('readable', () => this.#readable.open());
    stream.on('drain', () => this.#writable.open());
    stream.on('end', () => this.#lose('its connection was closed'));
    stream.on('close', () => this.#lose('its connection was closed'));
    stream.on('error', (error: NodeJS.ErrnoException) => this.#lose(problemOf(error)));
    this.#heartbeat = setInterval(() => this.#sendHeartbeat(), 1000 * Math.min(1, silence / 4));
    this.#heartbeat.unref();
  }

  /** Sends a message; waits until the stream has taken it. @throws ConnectionLost */
  async send(message: Uint8Array): Promise<void> {
    if (message.length > messageSizes.peer) {
      throw new ConnectionLost(`a message of ${message.length} bytes is too large for a connection between machines`);
    }
    if (this.#write(message)) return;
    const end = performance.now() + 1000 * this.#stall;
    while (this.#stream.writableNeedDrain) {
      if (performance.now() >= end) {
        throw this.#lose(`its queue has been full for ${this.#stall} s, in which it has accepted nothing`);
      }
      await this.#change(this.#writable, end - performance.now());
    }
  }

  /** The next message; waits for it. @throws ConnectionLost */
  async receive(): Promise<Uint8Array> {
    for (;;) {
      const header = await this.#read(headerBytes);
      const view = new DataView(header.buffer);
      const length = view.getUint32(0, true);
      if (length > this.largest) throw this.#lose('it sent something that is not a message of localgrad');
      const message = await this.#read(length);
      if (checksumOf(message) !== view.getUint32(4, true)) throw this.#lose('a message from it arrived damaged');
      if (length > 0) return message;
    }
  }

  /** Sends what is still on its way, waits until the other end has read it, and ends the connection. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    if (this.#stream.destroyed) return;
    this.#stream.end();
    // What arrives is not read any more; but unread bytes would make the system discard those that are on their way.
    this.#stream.on('data', () => {});
    while (this.#lost === undefined && (await this.#readable.wait(1000 * closing)));
    this.destroy();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#lose('its connection was closed');
  }

  async #read(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const into = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      if (this.#rest.length === 0) this.#rest = await this.#nextBytes();
      const count = Math.min(length - done, this.#rest.length);
      into.set(this.#rest.subarray(0, count), done);
      this.#rest = this.#rest.subarray(count);
      done += count;
    }
    return into;
  }

  async #nextBytes(): Promise<Uint8Array> {
    for (;;) {
      const bytes: Uint8Array | null = this.#stream.read();
      if (bytes !== null) return bytes;
      if (await this.#change(this.#readable, 1000 * this.#silence)) continue;
      // Bytes may have arrived while this thread was busy and its timer expired.
      await nextTurn();
      if (this.#stream.readableLength > 0) continue;
      throw this.#lose(`nothing was heard from it for ${this.#silence} s`);
    }
  }

  #write(message: Uint8Array): boolean {
    if (this.#lost !== undefined) throw this.#lost;
    const header = new DataView(new ArrayBuffer(headerBytes));
    header.setUint32(0, message.length, true);
    header.setUint32(4, checksumOf(message), true);
    this.#stream.cork();
    const isAccepted = this.#stream.write(new Uint8Array(header.buffer));
    const isWhole = message.length === 0 ? isAccepted : this.#stream.write(message);
    this.#stream.uncork();
    return isWhole;
  }

  /** While messages are on their way, they are signs of life. */
  #sendHeartbeat(): void {
    if (this.#lost === undefined && this.#stream.writableLength === 0) this.#write(new Uint8Array());
  }

  /** Waits until something can be read or written; false if nothing changes in the time. @throws ConnectionLost */
  async #change(turnstile: Turnstile, milliseconds: number): Promise<boolean> {
    if (this.#lost !== undefined) throw this.#lost;
    const hasChanged = await turnstile.wait(milliseconds);
    if (this.#lost !== undefined) throw this.#lost;
    return hasChanged;
  }

  /** The first reason counts. */
  #lose(reason: string): ConnectionLost {
    this.#lost ??= new ConnectionLost(reason);
    clearInterval(this.#heartbeat);
    this.#stream.destroy();
    this.#readable.open();
    this.#writable.open();
    return this.#lost;
  }
}

/** A process that ends may close its connections in any of these ways. */
function problemOf({ code = '', message }: NodeJS.ErrnoException): string {
  return ['ECONNRESET', 'EPIPE'].includes(code) ? 'its connection was closed' : `its connection failed (${message})`;
}
