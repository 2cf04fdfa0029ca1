import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { call } from './call.js';
import { encode, type Hello } from './hello.js';
import { Hub, type HubOptions } from './hub.js';
import type { HubEvent } from './messages.js';
import { type ServeOptions, serveWorker } from './served-worker.js';

const security = { token: 'a token of these tests' };
const facts = { 'version of localgrad': '0.1.0', method: 'dgl', placement: '0-1 2-3' };
const host = '127.0.0.1';

const hubs: Hub[] = [];
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.handle({ kind: 'close' });
});

async function openHub(own: Partial<HubOptions> = {}) {
  const events: HubEvent[] = [];
  const hub = new Hub({ ranks: 2, port: 0, host, facts, security, limits: { join: 5 }, ...own }, (event) =>
    events.push(event),
  );
  hubs.push(hub);
  await hub.open();
  const port = events.flatMap((event) => (event.kind === 'listening' ? [event.port] : []))[0] ?? 0;
  const until = async (kind: HubEvent['kind']) => {
    for (;;) {
      const event = events.find((one) => one.kind === kind);
      if (event !== undefined) return event;
      await delay(5);
    }
  };
  return { hub, port, events, until };
}

const serve = (port: number, own: Partial<ServeOptions> = {}) =>
  serveWorker({
    ...{ rank: 1, ranks: 2, first: { host, port }, own: { host, port: 0 }, listenOn: host },
    ...{ program: new URL('file:///none.js'), facts, security, limits: { join: 1 } },
    ...own,
  });

const hello = (own: Partial<Hello> = {}): Hello => ({ purpose: 'control', rank: 1, ranks: 2, facts, ...own });

describe('Hub', () => {
  it('lets workers end when the run has ended, with the reason if it has failed', async () => {
    const well = await openHub();
    const served = serve(well.port);
    await well.until('joined');
    await well.hub.handle({ kind: 'close' });
    await expect(served).resolves.toBeUndefined();

    const badly = await openHub({ ranks: 3 });
    const both = [1, 2].map((rank) => serve(badly.port, { rank, ranks: 3 }));
    const ended = Promise.allSettled(both);
    while (badly.events.filter(({ kind }) => kind === 'joined').length < 2) await delay(5);
    await badly.hub.handle({ kind: 'close', problem: 'The disk is full.' });
    for (const end of await ended) {
      expect(end).toMatchObject({
        reason: { code: 'backend-lost', message: 'Rank 0 has ended the run: The disk is full.' },
      });
    }
  });

  it.each([
    [
      { facts: { ...facts, 'version of localgrad': '0.2.0' } },
      'version of localgrad is 0.2.0, but rank 0 expects 0.1.0',
    ],
    [{ facts: { ...facts, method: 'infopro' } }, 'method is infopro, but rank 0 expects dgl'],
    [{ facts: { ...facts, placement: '0 1-3' } }, 'placement is 0 1-3, but rank 0 expects 0-1 2-3'],
    [{ facts: { ...facts, memory: 'recompute' } }, 'memory is recompute, but rank 0 expects not set'],
    [{ ranks: 3 }, 'number of machines is 3, but rank 0 expects 2'],
  ] as const)('ends the run of machines that differ: %j', async (own, problem) => {
    const { port, until } = await openHub();
    const message = `Rank 1 (127.0.0.1) cannot take part: its ${problem}.`;
    await expect(serve(port, own)).rejects.toThrow(expect.objectContaining({ code: 'invalid-option', message }));
    expect(await until('failure')).toEqual({ kind: 'failure', code: 'invalid-option', message });
  });

  it('is not disturbed by another token or a second machine of one rank', async () => {
    const { hub, port, events, until } = await openHub();
    const served = serve(port);
    await until('joined');
    await expect(serve(port)).rejects.toThrow('Rank 1 takes part already, so 127.0.0.1 cannot.');
    await expect(serve(port, { security: { token: 'another long token' } })).rejects.toThrow(/has rejected the token/);
    await expect(serve(port, { security: { token: 'short' } })).rejects.toThrow(
      /^The token has 5 characters; allowed: at least 16/,
    );
    expect(events.map(({ kind }) => kind)).toEqual(['listening', 'joined', 'stranger']);
    await hub.handle({ kind: 'close' });
    await served;
  });

  it('names machines that do not call', async () => {
    const { until } = await openHub({ ranks: 3, limits: { join: 0.1 } });
    expect(await until('failure')).toMatchObject({
      message: 'Of the 3 machines of the run, rank 1, 2 did not call within 0.1 s.',
    });
  });

  it('ends the run of all when one machine is lost', async () => {
    const { port, until, events } = await openHub({ ranks: 3 });
    const limits = { join: 1 };
    const lost = await call({
      ...{ name: 'Rank 0', address: { host, port }, security, limits },
      hello: hello({ ranks: 3 }),
    });
    const other = serve(port, { rank: 2, ranks: 3 });
    const ended = expect(other).rejects.toThrow(
      'Rank 0 has ended the run: Lost rank 1 (127.0.0.1): its connection was closed.',
    );
    while (events.filter(({ kind }) => kind === 'joined').length < 2) await delay(5);
    lost.destroy();
    await ended;
    expect(await until('failure')).toMatchObject({ code: 'backend-lost' });
  });

  it('ends the run when a machine falls silent', async () => {
    const { port, until } = await openHub({ limits: { silence: 0.3 } });
    // Its signs of life are 60 s apart.
    const silent = await call({
      ...{ name: 'Rank 0', address: { host, port }, security, limits: { silence: 240 } },
      hello: hello(),
    });
    expect(await until('failure')).toMatchObject({
      message: 'Lost rank 1 (127.0.0.1): nothing was heard from it for 0.3 s.',
    });
    silent.destroy();
  });

  it('passes on the failure of a worker', async () => {
    const { port, until } = await openHub();
    const connection = await call({
      ...{ name: 'Rank 0', address: { host, port }, security, limits: {} },
      hello: hello(),
    });
    await connection.send(encode({ kind: 'failure', code: 'out-of-memory', message: 'Worker 1 needs more.' }));
    expect(await until('failure')).toEqual({ kind: 'failure', code: 'out-of-memory', message: 'Worker 1 needs more.' });
    connection.destroy();
  });
});
