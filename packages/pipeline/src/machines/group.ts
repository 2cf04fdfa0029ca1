import { Worker } from 'node:worker_threads';
import { at, type ErrorCode, LocalgradError, messageOf } from '@localgrad/core';
import type { WorkerStart } from '../running-workers.js';
import type { RunningWorker, WorkerEvents } from '../thread.js';
import { Deferred } from './deferred.js';
import type { HubOptions } from './hub.js';
import type { Answer, Failure, HubCommand, HubEvent, RemoteStart } from './messages.js';
import { checkToken } from './security.js';

/** Options of `openMachineGroup`. */
export interface MachineGroupOptions extends HubOptions {
  /** Called with a sentence about each machine that joins, and each caller that was turned away. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** The program of the thread with the connections: `dist/link-thread.js` of this package. */
const program = new URL('./link-thread.js', import.meta.url);

/**
 * The machines of a run, as rank 0 sees them: each trains one group of modules. Create it before images are loaded, so that
 * the others need not wait; `close` ends the run on all machines.
 */
export class MachineGroup {
  /** Number of machines, this one included. */
  readonly ranks: number;
  readonly #thread: Worker;
  readonly #onProgress: (text: string) => void;
  readonly #ending = new AbortController();
  readonly #hasOpened = new Deferred<number>();
  readonly #hasJoined = new Deferred();
  readonly #hasClosed = new Deferred();
  #missing: number;
  #workers: readonly RemoteWorker[] = [];
  #failure: LocalgradError | undefined;

  /** @throws LocalgradError if the port is not free or the token is too short */
  static async open(options: MachineGroupOptions): Promise<MachineGroup> {
    checkToken(options.security.token);
    const group = new MachineGroup(options);
    await group.#hasOpened.promise;
    return group;
  }

  private constructor({ onProgress = () => {}, ...options }: MachineGroupOptions) {
    this.ranks = options.ranks;
    this.#missing = options.ranks - 1;
    this.#onProgress = onProgress;
    this.#thread = new Worker(program, { workerData: options });
    this.#thread.on('message', (event: HubEvent) => this.#handle(event));
    this.#thread.on('error', (error) => this.#fail('backend-lost', `The connections ended: ${messageOf(error)}.`));
    this.#thread.on('exit', () => this.#hasClosed.resolve());
  }

  /** Aborts when a machine is lost or interrupted, with the error as its reason. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Waits until all machines have joined. @throws LocalgradError if one does not, or cannot take part */
  async complete(): Promise<void> {
    await this.#hasJoined.promise;
  }

  /**
   * Starts the workers of all ranks but the first.
   *
   * @param stream ring of messages from the worker of rank 0
   * @param events one for each worker
   */
  start(starts: readonly WorkerStart[], stream: SharedArrayBuffer, events: readonly WorkerEvents[]): RunningWorker[] {
    const workers = starts.map((_, index) => new RemoteWorker(at(events, index, 'worker')));
    this.#workers = workers;
    this.#send({
      kind: 'start',
      starts: starts.map((start, index): RemoteStart => {
        return { ...start, rank: index + 1, outputBytes: starts[index + 1]?.inputBytes ?? 0 };
      }),
      stream,
    });
    const failure = this.#failure;
    // Workers are not connected before this function returns.
    if (failure !== undefined) queueMicrotask(() => this.#tell(failure));
    return workers;
  }

  /** Ends the run on all machines. @param error what ended it; absent if it has ended as it should */
  async close(error?: unknown): Promise<void> {
    this.#send({ kind: 'close', ...(error === undefined ? {} : { problem: messageOf(error) }) });
    await this.#hasClosed.promise;
  }

  #send(command: HubCommand): void {
    this.#thread.postMessage(command);
  }

  #handle(event: HubEvent): void {
    if (event.kind === 'listening') this.#hasOpened.resolve(event.port);
    else if (event.kind === 'stranger') this.#onProgress(event.problem);
    else if (event.kind === 'failure') this.#fail(event.code, event.message);
    else if (event.kind === 'joined') this.#join(event);
    else if (event.kind === 'answer') this.#hear(event);
  }

  #hear({ rank, answer }: HubEvent & { kind: 'answer' }): void {
    if (answer.kind === 'interrupted') {
      this.#ending.abort(new LocalgradError('backend-lost', `Rank ${rank} was interrupted.`, { rank }));
    } else this.#workers[rank - 1]?.handle(answer);
  }

  #join({ rank, from }: HubEvent & { kind: 'joined' }): void {
    this.#missing--;
    this.#onProgress(`Rank ${rank} (${from}) has joined; ${this.ranks - this.#missing} of ${this.ranks} machines.`);
    if (this.#missing === 0) this.#hasJoined.resolve();
  }

  #fail(code: ErrorCode, message: string): void {
    if (this.#failure !== undefined) return;
    const error = new LocalgradError(code, message);
    this.#failure = error;
    this.#hasOpened.reject(error);
    this.#hasJoined.reject(error);
    this.#tell(error);
    this.#ending.abort(error);
  }

  #tell(error: LocalgradError): void {
    // The first failure ends the wait for all workers.
    this.#workers[0]?.fail(error);
  }
}

/** The worker of another machine. */
class RemoteWorker implements RunningWorker {
  readonly #events: WorkerEvents;
  readonly #hasEnded = new Deferred();
  readonly exit = this.#hasEnded.promise;

  constructor(events: WorkerEvents) {
    this.#events = events;
  }

  handle(answer: Exclude<Answer, Failure>): void {
    if (answer.kind === 'report') this.#events.onReport(answer.report);
    else if (answer.kind === 'done') this.#hasEnded.resolve();
  }

  fail(error: LocalgradError): void {
    this.#events.onFailure(error);
  }

  /** `MachineGroup.close` ends the other machines, with the reason. */
  abandon(): void {
    this.#hasEnded.resolve();
  }
}
