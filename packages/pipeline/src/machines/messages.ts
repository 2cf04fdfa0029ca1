import type { ErrorCode } from '@localgrad/core';
import type { Report } from '../part-worker.js';
import type { Wire } from '../wire.js';
import type { WiredStart } from '../wiring.js';
import type { Address } from './hello.js';

/** From rank 0 to another rank. */
export type Order =
  | {
      readonly kind: 'start';
      readonly start: WiredStart;
      /** All wires of the run. */
      readonly wires: readonly Wire[];
      /** Where each rank listens. */
      readonly addresses: ReadonlyMap<number, Address>;
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
      /** Those of ranks 1, 2, …. */
      readonly starts: readonly WiredStart[];
      readonly wires: readonly Wire[];
      /** Memories of the wires between rank 0 and others, by index. */
      readonly memories: ReadonlyMap<number, SharedArrayBuffer>;
    }
  | { readonly kind: 'close'; readonly problem?: string | undefined };

/** From the hub to the main thread of rank 0. */
export type HubEvent =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'joined'; readonly rank: number; readonly from: string }
  | { readonly kind: 'stranger'; readonly problem: string }
  | { readonly kind: 'answer'; readonly rank: number; readonly answer: Exclude<Answer, Failure> }
  | Failure;
