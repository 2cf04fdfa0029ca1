import { setTimeout as delay } from 'node:timers/promises';
import { patientRingReceiver } from '../channel.js';
import { SharedRing } from '../ring.js';
import { type Connection, defaultLimits, type LinkLimits } from './connection.js';
import { type Address, decode, encode, type Facts, refusalOf } from './hello.js';
import { LinkError, reasonOf } from './link-error.js';
import { type Caller, Listener } from './listener.js';
import type { Answer, Failure, HubCommand, HubEvent, Order, RemoteStart } from './messages.js';
import type { Security } from './security.js';

export interface HubOptions {
  /** Number of machines, this one included. */
  readonly ranks: number;
  readonly port: number;
  readonly host?: string | undefined;
  readonly facts: Facts;
  readonly security: Security;
  readonly limits: LinkLimits;
}

/** Another machine, as rank 0 sees it. */
interface Member {
  readonly rank: number;
  readonly from: string;
  readonly connection: Connection;
  /** Where it listens for the next rank. */
  readonly address: Address | undefined;
  isDone: boolean;
}

/** From the worker of rank 0 to that of rank 1. */
interface Stream {
  readonly ring: SharedRing;
  connection?: Connection;
}

/** Milliseconds in which the reason for a lost connection arrives on another one. */
const graceMilliseconds = 1000;

/**
 * The connections of rank 0: one to each other machine for orders and reports, and one to rank 1 for the stream of messages.
 * Runs in a thread of its own, because evaluation blocks the main thread for longer than a machine may be silent.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #emit: (event: HubEvent) => void;
  readonly #members = new Map<number, Member>();
  #listener: Listener | undefined;
  #joinTimer: NodeJS.Timeout | undefined;
  #strangers = 0;
  #stream: Stream | undefined;
  #hasEnded = false;

  constructor(options: HubOptions, emit: (event: HubEvent) => void) {
    this.#options = options;
    this.#emit = emit;
  }

  /** Waits for the other machines. */
  async open(): Promise<void> {
    const { port, host, security, limits } = this.#options;
    const { join = defaultLimits.join } = limits;
    try {
      this.#listener = await Listener.open({
        ...{ port, host, security, limits },
        onCaller: (caller) => void this.#meet(caller).catch((error) => this.#report(reasonOf(error))),
        onStranger: (problem) => this.#report(problem),
      });
    } catch (error) {
      this.#fail(failureOf(error));
      return;
    }
    this.#emit({ kind: 'listening', port: this.#listener.port });
    this.#joinTimer = setTimeout(() => this.#fail({ code: 'backend-lost', message: this.#missing(join) }), 1000 * join);
  }

  async handle(command: HubCommand): Promise<void> {
    if (command.kind === 'close') await this.#close(command.problem);
    else await this.#start(command.starts, new SharedRing(command.stream));
  }

  #report(problem: string): void {
    this.#strangers++;
    this.#emit({ kind: 'stranger', problem });
  }

  #missing(seconds: number): string {
    const ranks = Array.from({ length: this.#options.ranks - 1 }, (_, index) => index + 1);
    const missing = ranks.filter((rank) => !this.#members.has(rank)).join(', ');
    const strangers = this.#strangers === 0 ? '' : ` (callers that were turned away: ${this.#strangers})`;
    return `Of the ${this.#options.ranks} machines of the run, rank ${missing} did not call within ${seconds} s${strangers}.`;
  }

  async #meet(caller: Caller): Promise<void> {
    const { hello, from, connection } = caller;
    const { rank, purpose, address } = hello;
    if (purpose === 'data') {
      const stream = this.#stream;
      if (rank !== 1 || stream === undefined || stream.connection !== undefined) {
        await caller.refuse(`Rank 0 sends no data to rank ${rank} (${from}).`);
        return;
      }
      stream.connection = connection;
      await caller.accept();
      await this.#passOn(stream, connection);
      return;
    }
    if (this.#members.has(rank) || this.#hasEnded) {
      await caller.refuse(
        this.#hasEnded ? 'Rank 0 has ended the run.' : `Rank ${rank} takes part already, so ${from} cannot.`,
      );
      return;
    }
    const refusal = refusalOf(hello, { ...this.#options, from });
    if (refusal !== undefined) {
      this.#fail({ code: 'invalid-option', message: refusal });
      await caller.refuse(refusal);
      return;
    }
    const member = { rank, from, connection, address, isDone: false };
    this.#members.set(rank, member);
    await caller.accept();
    this.#emit({ kind: 'joined', rank, from });
    if (this.#members.size === this.#options.ranks - 1) clearTimeout(this.#joinTimer);
    await this.#listenTo(member);
  }

  async #listenTo(member: Member): Promise<void> {
    const { rank, connection } = member;
    try {
      for (;;) {
        const answer = decode<Answer>(await connection.receive());
        if (answer.kind === 'failure') this.#fail(answer);
        else this.#emit({ kind: 'answer', rank, answer });
        if (answer.kind === 'done') member.isDone = true;
      }
    } catch (error) {
      this.#fail({ code: 'backend-lost', message: lost(member, error) });
    }
  }

  async #start(starts: readonly RemoteStart[], ring: SharedRing): Promise<void> {
    this.#stream = { ring };
    for (const start of starts) {
      const member = this.#members.get(start.rank);
      if (member === undefined) continue;
      member.isDone = false;
      await this.#order(member, { kind: 'start', start, previous: this.#members.get(start.rank - 1)?.address });
    }
  }

  /** Sends the messages of a stream to rank 1. */
  async #passOn(stream: Stream, connection: Connection): Promise<void> {
    const send = async () => {
      const receiver = patientRingReceiver(stream.ring);
      for (;;) await connection.send(await receiver.receive());
    };
    try {
      // Rank 1 sends nothing but signs of life.
      await Promise.race([send(), connection.receive()]);
    } catch (error) {
      await delay(graceMilliseconds);
      const member = this.#members.get(1);
      if (member === undefined || member.isDone || this.#stream !== stream) return;
      this.#fail({ code: 'backend-lost', message: lost(member, error) });
    }
  }

  async #order(member: Member, order: Order): Promise<void> {
    try {
      await member.connection.send(encode(order));
    } catch (error) {
      this.#fail({ code: 'backend-lost', message: lost(member, error) });
    }
  }

  /** The first failure ends the run on all machines. */
  #fail({ code, message }: Omit<Failure, 'kind'>): void {
    if (this.#hasEnded) return;
    this.#emit({ kind: 'failure', code, message });
    void this.#end(message);
  }

  async #end(problem?: string): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#joinTimer);
    await Promise.all(
      [...this.#members.values()].map(async (member) => {
        await this.#order(member, { kind: 'stop', problem });
        await member.connection.close();
      }),
    );
  }

  async #close(problem?: string): Promise<void> {
    await this.#end(problem);
    await Promise.all([...this.#members.values()].map(({ connection }) => connection.close()));
    await this.#stream?.connection?.close();
    this.#listener?.close();
    this.#emit({ kind: 'closed' });
  }
}

function lost({ rank, from }: Member, error: unknown): string {
  return `Lost rank ${rank} (${from}): ${reasonOf(error)}.`;
}

/** An error as data. */
export function failureOf(error: unknown): Omit<Failure, 'kind'> {
  return { code: error instanceof LinkError ? error.code : 'backend-lost', message: reasonOf(error) };
}
