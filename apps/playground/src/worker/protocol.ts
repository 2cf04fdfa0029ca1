import type { PlanDescription } from '@localgrad/engine';
import type { Suggestion } from '../settings/completion.js';
import type { Settings } from '../settings/settings.js';

/** Pictures of the visitor, decoded: bytes, channels last. */
export interface OwnImages {
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  readonly train: { readonly images: Uint8Array; readonly labels: Int32Array };
  readonly test: { readonly images: Uint8Array; readonly labels: Int32Array };
}

/** What a worker is asked to do. The index is the run's: 0 or 1. */
export type Request =
  | { readonly type: 'names' }
  | {
      readonly type: 'open';
      readonly settings: Settings;
      readonly index: number;
      readonly images?: OwnImages | undefined;
    }
  | { readonly type: 'start' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'reset' }
  | { readonly type: 'export'; readonly format: 'localgrad' | 'pytorch' };

/** A plan, and what it costs beside end-to-end training of the same network. */
export interface PlanFacts {
  readonly description: PlanDescription;
  readonly endToEnd: { readonly peakBytes: number; readonly unitsOfWork: number };
  readonly backend: BackendFacts;
}

export interface BackendFacts {
  readonly name: string;
  readonly threads: number;
  /** Why fewer threads run than could. */
  readonly reason?: string;
}

/** Mean losses by objective since the previous point. */
export interface LossPoint {
  readonly step: number;
  readonly losses: Readonly<Record<string, number>>;
}

export interface EpochPoint {
  readonly epoch: number;
  readonly step: number;
  readonly testAccuracy: number;
  readonly peakBytes: number;
  readonly imagesPerSecond: number;
}

/** What a run has shown so far; stored with its checkpoint. */
export interface History {
  readonly steps: number;
  readonly losses: readonly LossPoint[];
  readonly epochs: readonly EpochPoint[];
  /** Accuracy of a linear probe of each module. */
  readonly probe?: readonly number[];
}

export type Status = 'opening' | 'ready' | 'running' | 'paused' | 'finished' | 'failed';

export type Reply =
  | { readonly type: 'names'; readonly names: readonly Suggestion[] }
  | { readonly type: 'plan'; readonly plan: PlanFacts }
  /** A run that was interrupted, e.g. by reloading the page. */
  | { readonly type: 'restored'; readonly step: number; readonly history: History; readonly status: Status }
  | {
      readonly type: 'progress';
      readonly step: number;
      readonly steps: number;
      readonly losses: readonly LossPoint[];
      readonly epochs: readonly EpochPoint[];
      readonly tensors: number;
      readonly bytesInUse: number;
    }
  | { readonly type: 'probe'; readonly accuracies: readonly number[] }
  /** Whether the browser stores the run; if not, why. */
  | { readonly type: 'store'; readonly problem?: string }
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'file'; readonly name: string; readonly content: Uint8Array<ArrayBuffer> }
  | { readonly type: 'error'; readonly message: string };
