import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { call } from './call.js';
import type { Connection, LinkLimits } from './connection.js';
import type { Hello } from './hello.js';
import { type Caller, Listener } from './listener.js';
import type { Security } from './security.js';
import { createCertificates, missingOpenssl } from './tls.fixture.js';

const token = 'a token of these tests';
const hello: Hello = { purpose: 'control', rank: 1, ranks: 2, facts: { version: '1' } };
const host = '127.0.0.1';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** A listener that accepts everybody who has the token, and what it says about the others. */
async function listen(security: Security = { token }) {
  const strangers: string[] = [];
  const callers: Caller[] = [];
  const listener = await Listener.open({
    ...{ port: 0, host, security },
    onCaller: (caller) => {
      callers.push(caller);
      cleanups.push(() => caller.connection.destroy());
      void caller.accept();
    },
    onStranger: (problem) => strangers.push(problem),
  });
  cleanups.push(() => listener.close());
  return { port: listener.port, strangers, callers };
}

const limits: LinkLimits = { join: 1 };

async function callTo(port: number, security: Security = { token }, name = host): Promise<Connection> {
  const connection = await call({ name: 'Rank 0', address: { host: name, port }, security, hello, limits });
  cleanups.push(() => connection.destroy());
  return connection;
}

/** Sends bytes, and returns what comes back before the other end closes. */
async function answerTo(port: number, bytes: string | Uint8Array): Promise<Buffer> {
  const socket = connect({ host, port });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks);
}

describe('Listener', () => {
  it('connects a machine that has the token, in both directions', async () => {
    const { port, callers, strangers } = await listen();
    const connection = await callTo(port);
    const [caller] = callers;
    expect(caller?.hello).toEqual(hello);
    await caller?.connection.send(new Uint8Array(200_000).fill(3));
    expect((await connection.receive()).length).toBe(200_000);
    await connection.send(Uint8Array.of(4));
    expect([...((await caller?.connection.receive()) ?? [])]).toEqual([4]);
    expect(strangers).toEqual([]);
  });

  it('gives a stranger nothing, says so, and continues to listen', async () => {
    const { port, strangers, callers } = await listen();
    const garbage = [
      'GET / HTTP/1.1\r\n\r\n',
      new Uint8Array(1000).fill(255),
      Uint8Array.of(1, 0, 0, 0, 9, 9, 9, 9, 9),
    ];
    for (const bytes of garbage) expect(await answerTo(port, bytes)).toHaveLength(0);
    await callTo(port);
    expect(callers).toHaveLength(1);
    expect(strangers).toHaveLength(garbage.length);
    expect(strangers[0]).toBe(
      'A caller from 127.0.0.1 was turned away: it sent something that is not a message of localgrad.',
    );
  });

  it('turns away a machine with another token in one sentence for each side', async () => {
    const { port, strangers, callers } = await listen();
    await expect(callTo(port, { token: 'another long token' })).rejects.toThrow(
      `Rank 0 (127.0.0.1:${port}) has rejected the token: it must be the same on all machines.`,
    );
    expect(strangers).toEqual(['A caller from 127.0.0.1 was turned away: its token is another one.']);
    expect(callers).toEqual([]);
  });

  it('names a port that is taken', async () => {
    const { port } = await listen();
    await expect(Listener.open({ port, host, security: { token }, onCaller: () => {} })).rejects.toThrow(
      /^Cannot listen on port \d+: .*EADDRINUSE/,
    );
  });
});

describe('call', () => {
  it('waits for a machine that starts later', async () => {
    const { port } = await listen();
    for (const clean of cleanups.splice(0)) clean();
    const calling = callTo(port);
    const listener = await Listener.open({
      port,
      host,
      security: { token },
      onCaller: (caller) => void caller.accept(),
    });
    cleanups.push(() => listener.close());
    await calling;
  });

  it('ends with one sentence if nobody ever listens', async () => {
    const { port } = await listen();
    for (const clean of cleanups.splice(0)) clean();
    await expect(callTo(port)).rejects.toThrow(
      `Rank 0 (127.0.0.1:${port}) could not be reached within 1 s: connect ECONNREFUSED 127.0.0.1:${port}.`,
    );
  });
});

if (missingOpenssl !== undefined) console.warn(`\nSKIPPED: TLS between machines: ${missingOpenssl}\n`);
describe.skipIf(missingOpenssl !== undefined)('TLS', () => {
  it('encrypts connections between machines whose certificates one authority has signed', async () => {
    const tls = createCertificates();
    const { port, callers, strangers } = await listen({ token, tls });
    await callTo(port, { token, tls });
    await callTo(port, { token, tls }, 'localhost');
    expect(callers).toHaveLength(2);

    const others = createCertificates();
    await expect(callTo(port, { token, tls: others })).rejects.toThrow(
      /^Rank 0 \(.*\) could not be reached: .*(self-signed|signature|certificate)/,
    );
    await expect(callTo(port, { token, tls: { ...others, ca: tls.ca } })).rejects.toThrow(
      /^Rank 0 \(.*\) did not answer like localgrad: .*TLS/s,
    );
    await expect(callTo(port)).rejects.toThrow(/did not answer like localgrad/);
    expect(callers).toHaveLength(2);
    expect(strangers.length).toBeGreaterThanOrEqual(2);
    await callTo(port, { token, tls });
  });
});
