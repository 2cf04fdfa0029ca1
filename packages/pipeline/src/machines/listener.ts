import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { authenticateCaller } from './authentication.js';
import { Connection, type LinkLimits, messageSizes } from './connection.js';
import { type Hello, introduction, readIntroduction } from './hello.js';
import { LinkError, reasonOf } from './link-error.js';
import type { Security } from './security.js';

/** Seconds that a caller has to prove that it has the token. */
const patience = 10;
/** Callers that have not proved it yet; further ones are turned away. */
const mostStrangers = 64;

/** A machine that has proved that it has the token. */
export interface Caller {
  readonly connection: Connection;
  readonly hello: Hello;
  /** Address from which it called. */
  readonly from: string;
  /** Lets it take part. */
  accept(): Promise<void>;
  /** Tells it why it cannot take part, and ends the connection. */
  refuse(reason: string): Promise<void>;
}

export interface ListenerOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Interface to listen on; absent: all. */
  readonly host?: string | undefined;
  readonly security: Security;
  readonly limits?: LinkLimits;
  readonly onCaller: (caller: Caller) => void;
  /** Called with a sentence about a caller that was turned away. */
  readonly onStranger?: ((problem: string) => void) | undefined;
}

/** Waits for other machines. Strangers learn nothing and take nothing but a connection for a few seconds. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #strangers = new Set<Socket>();

  /** @throws LinkError if the port is not free */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  private constructor(options: ListenerOptions) {
    this.#options = options;
    const { tls } = options.security;
    const settings = { noDelay: true, keepAlive: true };
    if (tls === undefined) {
      this.#server = createServer(settings, (socket) => void this.#meet(socket));
      return;
    }
    const server = createTlsServer(
      { ...settings, ...tls, requestCert: true, rejectUnauthorized: true, handshakeTimeout: 1000 * patience },
      (socket) => void this.#meet(socket),
    );
    server.on('tlsClientError', (error, socket) => this.#report(hostOf(socket), `TLS: ${error.message}`));
    this.#server = server;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Accepts no further callers. */
  close(): void {
    this.#server.close();
    for (const socket of this.#strangers) socket.destroy();
  }

  async #listen(): Promise<void> {
    const { port, host } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(new LinkError('invalid-option', `Cannot listen on port ${port}: ${cause.message}.`, { cause }));
      });
      this.#server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
    });
    this.#server.on('error', (error) => this.#report('an unknown address', error.message));
  }

  /** Never throws: whatever a caller does, others can still call. */
  async #meet(socket: Socket): Promise<void> {
    const from = hostOf(socket);
    if (this.#strangers.size >= mostStrangers) {
      socket.destroy();
      return;
    }
    this.#strangers.add(socket);
    const timer = setTimeout(() => socket.destroy(), 1000 * patience);
    const connection = new Connection(socket, this.#options.limits);
    try {
      await authenticateCaller(connection, this.#options.security.token);
      connection.largest = messageSizes.introduction;
      const hello = readIntroduction<Hello>(await connection.receive());
      clearTimeout(timer);
      this.#options.onCaller({
        connection,
        hello,
        from,
        accept: async () => {
          await connection.send(introduction({ kind: 'welcome' }));
          connection.largest = messageSizes.peer;
        },
        refuse: async (reason) => {
          await connection.send(introduction({ kind: 'refusal', reason }));
          await connection.close();
        },
      });
    } catch (error) {
      this.#report(from, reasonOf(error));
      await connection.close();
    } finally {
      clearTimeout(timer);
      this.#strangers.delete(socket);
    }
  }

  #report(from: string, problem: string): void {
    this.#options.onStranger?.(`A caller from ${from} was turned away: ${problem}.`);
  }
}

/** Address of the other end; one of IPv4 as usual, although the system may show it as one of IPv6. */
function hostOf({ remoteAddress = 'an unknown address' }: Socket): string {
  return remoteAddress.replace(/^::ffff:/, '');
}
