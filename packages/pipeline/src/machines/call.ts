import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { authenticateTo } from './authentication.js';
import { Connection, defaultLimits, type LinkLimits, messageSizes } from './connection.js';
import { type Address, addressText, type Hello, introduction, readIntroduction, type Welcome } from './hello.js';
import { ConnectionLost, LinkError } from './link-error.js';
import type { Security } from './security.js';

/** Errors of a machine that has not started yet, or whose name is not known yet. */
const notYet = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET'];
const pauseMilliseconds = 250;

export interface CallOptions {
  /** The machine to call, for errors: `Rank 0`. */
  readonly name: string;
  readonly address: Address;
  readonly security: Security;
  readonly hello: Hello;
  readonly limits?: LinkLimits;
  readonly signal?: AbortSignal | undefined;
}

/** Calls a machine, again and again until it listens. @throws LinkError if it never does, or refuses the call */
export async function call({ name, address, security, hello, limits = {}, signal }: CallOptions): Promise<Connection> {
  const where = `${name} (${addressText(address)})`;
  const socket = await reach(address, security, where, limits, signal);
  const connection = new Connection(socket, limits);
  try {
    await authenticateTo(connection, security.token, where);
    connection.largest = messageSizes.introduction;
    await connection.send(introduction(hello));
    const answer = readIntroduction<Welcome>(await connection.receive());
    if (answer.kind === 'refusal') throw new LinkError('invalid-option', answer.reason);
    connection.largest = messageSizes.peer;
    return connection;
  } catch (error) {
    connection.destroy();
    if (!(error instanceof ConnectionLost)) throw error;
    throw new LinkError(
      'backend-lost',
      `${where} did not answer like localgrad: ${error.message}. Do all machines use the same options for TLS, and is the port right?`,
      { cause: error },
    );
  }
}

async function reach(
  address: Address,
  security: Security,
  where: string,
  { join = defaultLimits.join }: LinkLimits,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const end = performance.now() + 1000 * join;
  for (;;) {
    try {
      return await open(address, security, end - performance.now());
    } catch (cause) {
      signal?.throwIfAborted();
      const { code = '', message } = problemOf(cause);
      if (notYet.includes(code) && performance.now() + pauseMilliseconds < end) {
        await delay(pauseMilliseconds);
        continue;
      }
      const within = notYet.includes(code) ? ` within ${join} s` : '';
      throw new LinkError('backend-lost', `${where} could not be reached${within}: ${message}.`, { cause });
    }
  }
}

/** Several addresses of one name fail together, with an error without a message. */
function problemOf(error: unknown): { readonly code?: string | undefined; readonly message: string } {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return { message: String(first) };
  return { code: 'code' in first ? String(first.code) : undefined, message: first.message };
}

function open({ host, port }: Address, { tls }: Security, milliseconds: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const settings = { host, port, noDelay: true, keepAlive: true };
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls === undefined ? connectPlain(settings) : connectTls({ ...settings, ...tls, ...name });
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`connect ETIMEDOUT ${host}:${port}`), { code: 'ETIMEDOUT' }));
    }, milliseconds);
    socket.once('error', reject);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('close', () => clearTimeout(timer));
  });
}
