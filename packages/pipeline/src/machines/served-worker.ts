import { setTimeout as delay } from 'node:timers/promises';
import { at, errorCodeOf, get, LocalgradError, messageOf } from '@localgrad/core';
import { SharedRing } from '../ring.js';
import { errorCodes, WorkerThread } from '../thread.js';
import { connectStart } from '../wiring.js';
import { type CallOptions, call } from './call.js';
import { type Connection, defaultLimits, type LinkLimits } from './connection.js';
import { Deferred } from './deferred.js';
import { type Address, addressText, decode, encode, type Facts, refusalOf } from './hello.js';
import { ConnectionLost, reasonOf } from './link-error.js';
import { type Caller, Listener } from './listener.js';
import type { Answer, Order } from './messages.js';
import { moveIn, moveOut } from './move.js';
import { checkToken, type Security } from './security.js';
import { StallWatch } from './stall-watch.js';

/** Options of `serveWorker`. */
export interface ServeOptions {
  /** Of this machine; at least 1. */
  readonly rank: number;
  /** Number of machines. */
  readonly ranks: number;
  /** Where rank 0 listens. */
  readonly first: Address;
  /** Where the next rank reaches this machine. Port 0: any free port. Not used on the last rank. */
  readonly own: Address;
  /** Interface to listen on; absent: all. */
  readonly listenOn?: string | undefined;
  /** The program of the worker: a module that calls `runWorker`. */
  readonly program: URL;
  /** What all machines must have in common. */
  readonly facts: Facts;
  readonly security: Security;
  readonly limits?: LinkLimits;
  /** Adapts the `config` of rank 0 to this machine, e.g. its folders. */
  readonly adapt?: (config: unknown) => unknown;
  /** Asks rank 0 to save and end the run. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** Milliseconds in which rank 0 says why a connection was lost. */
const graceMilliseconds = 1000;

/**
 * Trains the modules of one worker on this machine, until rank 0 ends the run.
 *
 * @throws LocalgradError if rank 0 refuses this machine, or if the run fails here or on any other machine
 */
export async function serveWorker(options: ServeOptions): Promise<void> {
  checkToken(options.security.token);
  const worker = new ServedWorker(options);
  try {
    await worker.run();
  } catch (error) {
    const isInterruption = options.signal?.aborted === true && error === options.signal.reason;
    throw isInterruption || LocalgradError.isInstance(error)
      ? error
      : new LocalgradError(codeOf(error), messageOf(error), { rank: options.rank }, { cause: error });
  } finally {
    await worker.close();
  }
}

class ServedWorker {
  readonly #options: ServeOptions;
  readonly #failed = new Deferred<never>();
  #listener: Listener | undefined;
  #control: Connection | undefined;
  /** Connections of the wires from and to this worker. */
  readonly #data: Connection[] = [];
  #thread: WorkerThread | undefined;
  readonly #callers = new Map<number, Deferred<Connection>>();

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { rank, ranks, first, own, listenOn, security, limits, signal, onProgress } = this.#options;
    if (rank < ranks - 1) {
      this.#listener = await Listener.open({
        ...{ port: own.port, host: listenOn, security },
        ...(limits === undefined ? {} : { limits }),
        onCaller: (caller) => this.#meet(caller),
        onStranger: onProgress,
      });
    }
    this.#control = await this.#call(undefined, 'Rank 0', first);
    onProgress?.(`Rank ${rank} of ${ranks} has joined rank 0 (${addressText(first)}).`);
    const control = this.#control;
    const interrupt = () => void control.send(encode({ kind: 'interrupted' })).catch((error) => this.#fail(error));
    signal?.throwIfAborted();
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      await Promise.race([this.#follow(control), this.#failed.promise]);
    } finally {
      signal?.removeEventListener('abort', interrupt);
    }
  }

  async close(): Promise<void> {
    this.#thread?.abandon();
    this.#listener?.close();
    await Promise.all([this.#control, ...this.#data].map((connection) => connection?.close()));
  }

  /** Executes the orders of rank 0. */
  async #follow(control: Connection): Promise<void> {
    for (;;) {
      const order = await this.#orderFrom(control);
      if (order.kind === 'start') {
        this.#train(order, control).catch((error) => this.#fail(error));
        continue;
      }
      if (order.problem === undefined) return;
      throw new LocalgradError('backend-lost', `Rank 0 has ended the run: ${order.problem}`);
    }
  }

  async #orderFrom(control: Connection): Promise<Order> {
    try {
      return decode<Order>(await control.receive());
    } catch (cause) {
      const where = addressText(this.#options.first);
      throw new LocalgradError('backend-lost', `Lost rank 0 (${where}): ${reasonOf(cause)}.`, {}, { cause });
    }
  }

  /** Trains the modules of this worker until the last message. */
  async #train({ start, wires, addresses }: Order & { kind: 'start' }, control: Connection): Promise<void> {
    const { rank, program, adapt = (config) => config } = this.#options;
    const rings = new Map(
      wires.flatMap(({ from, to, bytes }, index) =>
        from === rank || to === rank ? [[index, SharedRing.withCapacity(bytes)] as const] : [],
      ),
    );
    const ringOf = (wire: number) => get(rings, wire, 'wire');
    const watch = this.#watchQueue(ringOf(start.ends.input));
    const answer = (value: Answer) => void control.send(encode(value)).catch((error) => this.#fail(error));
    const connected = connectStart({ ...start, config: adapt(start.config) }, (wire) => ringOf(wire).memory);
    const thread = new WorkerThread(program, connected, {
      onReport: (report) => {
        watch.noteAnswer();
        answer({ kind: 'report', report });
      },
      onFailure: (error) => this.#fail(error),
    });
    this.#thread = thread;
    await Promise.all(
      [...rings].map(async ([index, ring]) => {
        const { from, to } = at(wires, index, 'wire');
        const other = from === rank ? to : from;
        const connection = await (other < rank ? this.#reach(index, other, addresses) : this.#callerOf(index).promise);
        this.#data.push(connection);
        this.#watch(other, from === rank ? moveOut(connection, ring) : moveIn(connection, ring), thread);
      }),
    );
    await thread.exit;
    watch.stop();
    if (thread.isDone) answer({ kind: 'done' });
  }

  #watchQueue(queue: SharedRing): StallWatch {
    const { rank, limits: { stall = defaultLimits.stall } = {} } = this.#options;
    const problem = `The queue of rank ${rank} is full: its worker has answered no message for ${stall} s.`;
    return new StallWatch(queue, stall, () => this.#fail(new LocalgradError('backend-lost', problem, { rank })));
  }

  #reach(wire: number, rank: number, addresses: ReadonlyMap<number, Address>): Promise<Connection> {
    const address = rank === 0 ? this.#options.first : get(addresses, rank, 'address of rank');
    return this.#call(wire, `Rank ${rank}`, address);
  }

  /** The connection of a higher rank for a wire; it may call before this one starts, or after. */
  #callerOf(wire: number): Deferred<Connection> {
    const caller = this.#callers.get(wire) ?? new Deferred<Connection>();
    this.#callers.set(wire, caller);
    return caller;
  }

  /** A lost connection is a failure unless the worker has received its last message, or rank 0 gives the reason. */
  #watch(rank: number, moving: Promise<never>, thread: WorkerThread): void {
    moving.catch(async (error) => {
      await delay(graceMilliseconds);
      if (!thread.isDone) this.#fail(new ConnectionLost(`Lost rank ${rank}: ${reasonOf(error)}.`));
    });
  }

  #fail(error: unknown): void {
    const failure: Answer = { kind: 'failure', code: codeOf(error), message: messageOf(error) };
    // Rank 0 tells the others.
    const told = this.#control?.send(encode(failure)) ?? Promise.resolve();
    void told.catch(() => {}).then(() => this.#failed.reject(error));
  }

  #meet(caller: Caller): void {
    const { hello, from, connection } = caller;
    const { rank, ranks, facts } = this.#options;
    const { wire } = hello;
    const refusal = wire === undefined ? `Rank ${rank} gives no orders.` : refusalOf(hello, { ranks, facts, from });
    const answered = refusal === undefined ? caller.accept() : caller.refuse(refusal);
    answered.then(
      () => wire !== undefined && refusal === undefined && this.#callerOf(wire).resolve(connection),
      (error) => this.#options.onProgress?.(reasonOf(error)),
    );
  }

  /** @param wire absent: for the orders of rank 0 */
  #call(wire: number | undefined, name: string, address: Address): Promise<Connection> {
    const { rank, ranks, own, facts, security, limits, signal } = this.#options;
    const port = this.#listener?.port;
    const options: CallOptions = {
      ...{ name, address, security, signal },
      hello: { wire, rank, ranks, facts, ...(port === undefined ? {} : { address: { host: own.host, port } }) },
      ...(limits === undefined ? {} : { limits }),
    };
    return call(options);
  }
}

function codeOf(error: unknown) {
  const code = errorCodeOf(error);
  return errorCodes.find((one) => one === code) ?? 'backend-lost';
}
