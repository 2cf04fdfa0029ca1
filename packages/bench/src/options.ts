import type { Shape3 } from '@localgrad/core';
import type { NetworkConfig } from '@localgrad/runs';
import type { MeasuredBackend } from './measured-backend.js';

/** A network and how its steps are run. */
export interface MeasuredNetwork extends NetworkConfig {
  readonly memory: 'residuals' | 'recompute';
  readonly batch: number;
  readonly image: Shape3;
  readonly classes: number;
}

/** What `bench step` measures. */
export interface BenchStepOptions extends MeasuredNetwork, MeasuredBackend {
  /** Method expressions; `backprop` is always measured, as the reference, with and without recomputation. */
  readonly methods: readonly string[];
  /** Timed steps of each contestant, after `warmup` untimed ones. */
  readonly repeats: number;
  readonly warmup: number;
  readonly include: readonly PeerName[];
  /** Interpreter of the PyTorch peer; default `LOCALGRAD_PYTHON` or `python3`. */
  readonly python?: string;
}

/** What can be measured beside the methods. */
export type PeerName = 'literal' | 'stock-tape' | 'pytorch';
export const peerNames: readonly PeerName[] = ['literal', 'stock-tape', 'pytorch'];

/** One timed step. */
export interface StepMeasurement {
  readonly milliseconds: number;
  /** Highest bytes of live tensors: weights, optimizer state and batch included. Null where it cannot be counted. */
  readonly peakBytes: number | null;
  /** The same without weights, averages, optimizer state and batch: what the step itself needs. */
  readonly stepBytes: number | null;
}

/** Something whose steps can be timed one by one, so that contestants can take turns. */
export interface Contestant {
  readonly name: string;
  /** Whether every gradient reaches through all modules: the reference procedure has nothing to repeat then. */
  readonly isEndToEnd?: boolean;
  readonly modules: number;
  readonly backend: string;
  /** Absent for peers, null if the backend has no such choice. */
  readonly relaxedSimd?: boolean | null;
  readonly details: Readonly<Record<string, string | number>>;
  /** What the plan says before a step is run; peers have none. */
  readonly predicted?: { readonly peakBytes: number; readonly unitsOfWork: number };
  step(): Promise<StepMeasurement>;
  close(): Promise<void>;
}
