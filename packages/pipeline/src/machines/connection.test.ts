import { duplexPair } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '@localgrad/nn/random';
import { afterEach, describe, expect, it } from 'vitest';
import { authenticateCaller, authenticateTo } from './authentication.js';
import { Connection, type LinkLimits, messageSizes } from './connection.js';

const open: Connection[] = [];
afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

/** Two ends of a connection, and the stream under the second one. */
function connected(limits: LinkLimits = {}) {
  const [near, far] = duplexPair();
  const [a, b] = [new Connection(near, limits), new Connection(far, limits)];
  open.push(a, b);
  return { a, b, far };
}

/** A connection whose other end is a bare stream. */
function bare(limits: LinkLimits = {}) {
  const [near, far] = duplexPair();
  const connection = new Connection(near, limits);
  open.push(connection);
  return { connection, far };
}

describe('Connection', () => {
  it('delivers messages of any size, in order and complete', async () => {
    const { a, b } = connected();
    b.largest = messageSizes.peer;
    const random = createRandom(3);
    const sent = [1, 5, 70_000, 2, 300_001].map((length) => Uint8Array.from({ length }, () => random.integer(256)));
    const sending = (async () => {
      for (const message of sent) await a.send(message);
    })();
    for (const message of sent) expect(Buffer.from(await b.receive()).equals(message)).toBe(true);
    await sending;
  });

  it('lets the sender wait until the receiver reads', async () => {
    const { a, b } = connected();
    b.largest = messageSizes.peer;
    let sent = 0;
    const sending = (async () => {
      for (; sent < 20; sent++) await a.send(new Uint8Array(100_000).fill(sent));
    })();
    await delay(50);
    const before = sent;
    expect(before).toBeLessThan(4);
    for (let message = 0; message < 20; message++) expect((await b.receive())[99_999]).toBe(message);
    await sending;
    expect(sent).toBe(20);
  });

  it('ends when the queue stays full', async () => {
    const { a } = connected({ stall: 0.2 });
    const sending = async () => {
      for (;;) await a.send(new Uint8Array(100_000));
    };
    await expect(sending()).rejects.toThrow('its queue has been full for 0.2 s, in which it has accepted nothing');
  });

  it('ends when nothing is heard, and not while there are signs of life', async () => {
    const { a, b } = connected({ silence: 0.2 });
    const quiet = bare({ silence: 0.2 });
    await expect(quiet.connection.receive()).rejects.toThrow('nothing was heard from it for 0.2 s');
    const received = b.receive();
    const answer = a.receive();
    await delay(500);
    await a.send(Uint8Array.of(1));
    expect([...(await received)]).toEqual([1]);
    await b.send(Uint8Array.of(2));
    expect([...(await answer)]).toEqual([2]);
  });

  it('ends when the other end closes, after everything that it has sent', async () => {
    const { a, b } = connected();
    await a.send(Uint8Array.of(7));
    void a.close();
    expect([...(await b.receive())]).toEqual([7]);
    await expect(b.receive()).rejects.toThrow('its connection was closed');
    await expect(b.send(Uint8Array.of(1))).rejects.toThrow('its connection was closed');
  });

  it.each([
    ['a wrong checksum', Uint8Array.of(3, 0, 0, 0, 1, 2, 3, 4, 65, 66, 67), 'a message from it arrived damaged'],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'it sent something that is not a message of localgrad'],
    ['half a message and an end', Uint8Array.of(3, 0, 0), 'its connection was closed'],
  ])('ends after %s', async (_, bytes, problem) => {
    const { connection, far } = bare();
    far.end(bytes);
    await expect(connection.receive()).rejects.toThrow(problem);
  });

  it('accepts no large messages from a stranger', async () => {
    const { a, b } = connected();
    void a.send(new Uint8Array(messageSizes.stranger + 1)).catch(() => {});
    await expect(b.receive()).rejects.toThrow('it sent something that is not a message of localgrad');
  });
});

describe('authentication', () => {
  const meet = async (callerToken: string, listenerToken: string) => {
    const { a, b } = connected();
    const [caller, listener] = await Promise.allSettled([
      authenticateTo(a, callerToken, 'Rank 0 (here:1)'),
      authenticateCaller(b, listenerToken),
    ]);
    return [caller, listener].map((end) => (end.status === 'fulfilled' ? 'accepted' : String(end.reason.message)));
  };

  it('accepts the same token', async () => {
    expect(await meet('sixteen letters!', 'sixteen letters!')).toEqual(['accepted', 'accepted']);
  });

  it('rejects another token on both sides', async () => {
    expect(await meet('sixteen letters!', 'sixteen letters?')).toEqual([
      'Rank 0 (here:1) has rejected the token: it must be the same on all machines.',
      'its token is another one',
    ]);
  });

  it('rejects another protocol without an answer', async () => {
    const { connection, far } = bare();
    const caller = new Connection(far);
    open.push(caller);
    const accepted = authenticateCaller(connection, 'sixteen letters!');
    await caller.send(Buffer.from('localgrad link 0, from another version of this'));
    await expect(accepted).rejects.toThrow('it does not speak the protocol of this version of localgrad');
  });

  it('detects a listener that does not have the token', async () => {
    const { a, b } = connected();
    const caller = authenticateTo(a, 'sixteen letters!', 'Rank 0 (here:1)');
    const nonce = await b.receive();
    await b.send(nonce.subarray(16));
    // The proof of the caller, sent back, is no proof of the listener.
    await b.send(await b.receive());
    await expect(caller).rejects.toThrow('Rank 0 (here:1) does not have the token: another program may have answered.');
  });
});
