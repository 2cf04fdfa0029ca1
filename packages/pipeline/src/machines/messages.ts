import type { ErrorCode } from '@localgrad/core';
import type { Report } from '../part-worker.js';
import type { ThreadStart } from '../worker-thread.js';
import type { Address } from './hello.js';

/** What the worker of another machine receives when it starts. */
export interface RemoteStart extends Omit<ThreadStart, 'input' | 'output'> {
  readonly rank: number;
  /** Capacity of the connection to this worker, and to the next one. */
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** From rank 0 to another rank. */
export type Order =
  | {
      readonly kind: 'start';
      readonly start: RemoteStart;
      /** Where the previous rank listens; absent if that is rank 0. */
      readonly previous?: Address | undefined;
    }
  /** @param problem what ended the run; absent if it has ended as it should */
  | { readonly kind: 'stop'; readonly problem?: string | undefined };

/** A failure of a machine, as data. */
export interface Failure {
  readonly kind: 'failure';
  readonly code: ErrorCode;
  readonly message: string;
}

/** From another rank to rank 0. */
export type Answer =
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'done' }
  /** Somebody asks this machine to end: rank 0 saves the run and ends it everywhere. */
  | { readonly kind: 'interrupted' }
  | Failure;

/** From the main thread of rank 0 to its hub. */
export type HubCommand =
  | {
      readonly kind: 'start';
      readonly starts: readonly RemoteStart[];
      /** Ring from the worker of rank 0 to that of rank 1. */
      readonly stream: SharedArrayBuffer;
    }
  | { readonly kind: 'close'; readonly problem?: string | undefined };

/** From the hub to the main thread of rank 0. */
export type HubEvent =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'joined'; readonly rank: number; readonly from: string }
  | { readonly kind: 'stranger'; readonly problem: string }
  | { readonly kind: 'answer'; readonly rank: number; readonly answer: Exclude<Answer, Failure> }
  | Failure
  | { readonly kind: 'closed' };
