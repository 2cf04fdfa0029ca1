import { setTimeout as delay } from 'node:timers/promises';
import { errorCodeOf, LocalgradError, messageOf } from '@localgrad/core';
import { patientRingReceiver, patientRingSender } from '../channel.js';
import { SharedRing } from '../ring.js';
import { errorCodes, WorkerThread } from '../thread.js';
import { type CallOptions, call } from './call.js';
import { type Connection, defaultLimits, type LinkLimits } from './connection.js';
import { Deferred } from './deferred.js';
import { type Address, addressText, decode, encode, type Facts, refusalOf } from './hello.js';
import { ConnectionLost, reasonOf } from './link-error.js';
import { type Caller, Listener } from './listener.js';
import type { Answer, Order } from './messages.js';
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
  /** Connections of the stream of messages, from the previous rank and to the next one. */
  readonly #data: Connection[] = [];
  #thread: WorkerThread | undefined;
  #nextCaller = new Deferred<Caller>();

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
    this.#control = await this.#call('control', 'Rank 0', first);
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
  async #train({ start, previous }: Order & { kind: 'start' }, control: Connection): Promise<void> {
    const { rank, program, first, adapt = (config) => config } = this.#options;
    const { inputBytes, outputBytes, ...own } = start;
    // Those of an earlier start.
    for (const connection of this.#data.splice(0)) connection.destroy();
    const input = SharedRing.withCapacity(inputBytes);
    const output = this.#listener === undefined ? undefined : SharedRing.withCapacity(outputBytes);
    const watch = this.#watchWorker();
    const answer = (value: Answer) => void control.send(encode(value)).catch((error) => this.#fail(error));
    const thread = new WorkerThread(
      program,
      {
        ...own,
        config: adapt(start.config),
        input: input.memory,
        ...(output === undefined ? {} : { output: output.memory }),
      },
      {
        onReport: (report) => {
          watch.remove();
          answer({ kind: 'report', report });
        },
        onFailure: (error) => this.#fail(error),
      },
    );
    this.#thread = thread;
    const source = await this.#call('data', `Rank ${rank - 1}`, previous ?? first);
    this.#data.push(source);
    this.#watch(rank - 1, moveFrom(source, input, watch), thread);
    if (output !== undefined) {
      const { connection } = await this.#nextCaller.promise;
      this.#nextCaller = new Deferred();
      this.#data.push(connection);
      this.#watch(rank + 1, moveTo(connection, output), thread);
    }
    await thread.exit;
    watch.stop();
    if (thread.isDone) answer({ kind: 'done' });
  }

  #watchWorker(): StallWatch {
    const { rank, limits: { stall = defaultLimits.stall } = {} } = this.#options;
    const problem = `The queue of rank ${rank} is full: its worker has answered no message for ${stall} s.`;
    return new StallWatch(stall, () => this.#fail(new LocalgradError('backend-lost', problem, { rank })));
  }

  /** A lost connection is a failure unless the worker has received its last message, or rank 0 gives the reason. */
  #watch(rank: number, moving: Promise<void>, thread: WorkerThread): void {
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
    const { hello, from } = caller;
    const { rank, ranks, facts } = this.#options;
    const isNext = hello.purpose === 'data' && hello.rank === rank + 1;
    const refusal = isNext ? refusalOf(hello, { ranks, facts, from }) : `Rank ${rank} expects rank ${rank + 1} only.`;
    const answered = refusal === undefined ? caller.accept() : caller.refuse(refusal);
    answered.then(
      () => refusal === undefined && this.#nextCaller.resolve(caller),
      (error) => this.#options.onProgress?.(reasonOf(error)),
    );
  }

  #call(purpose: 'control' | 'data', name: string, address: Address): Promise<Connection> {
    const { rank, ranks, own, facts, security, limits, signal } = this.#options;
    const port = this.#listener?.port;
    const options: CallOptions = {
      ...{ name, address, security, signal },
      hello: { purpose, rank, ranks, facts, ...(port === undefined ? {} : { address: { host: own.host, port } }) },
      ...(limits === undefined ? {} : { limits }),
    };
    return call(options);
  }
}

/** Passes on what arrives from the previous rank. @throws ConnectionLost */
async function moveFrom(source: Connection, input: SharedRing, watch: StallWatch): Promise<void> {
  const sender = patientRingSender(input);
  for (;;) {
    const message = await source.receive();
    watch.add();
    await sender.send(message);
  }
}

/** Sends what the worker has for the next rank. @throws ConnectionLost */
async function moveTo(target: Connection, output: SharedRing): Promise<void> {
  const receiver = patientRingReceiver(output);
  const send = async () => {
    for (;;) await target.send(await receiver.receive());
  };
  // The next rank sends nothing but signs of life.
  await Promise.race([send(), target.receive().then(() => {})]);
}

function codeOf(error: unknown) {
  const code = errorCodeOf(error);
  return errorCodes.find((one) => one === code) ?? 'backend-lost';
}
