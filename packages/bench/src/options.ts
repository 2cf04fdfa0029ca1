import type { Shape3 } from '@localgrad/core';
import type { NetworkConfig } from '@localgrad/runs';
import type { MeasuredBackend } from './measured-backend.js';
import type { MeasuredPhases } from './phase-steps.js';

/** A network and how its steps run. */
export interface MeasuredNetwork extends NetworkConfig {
  readonly memory: 'residuals' | 'recompute';
  readonly batch: number;
  /** Expression of the optimizer; default `sgd`. */
  readonly optimizer?: string;
  /** Largest norm of all gradients of a step together; default: gradients are not clipped. */
  readonly clipNorm?: number | undefined;
  /** Micro-batches per step (gradient accumulation); default 1. */
  readonly accumulate?: number;
  readonly image: Shape3;
  readonly classes: number;
}

/** Options of `benchStep`. */
export interface BenchStepOptions extends MeasuredNetwork, MeasuredBackend {
  /** Method expressions; `backprop` is always measured, as the reference, with and without recomputation. */
  readonly methods: readonly string[];
  /** Number of timed steps per contestant, after `warmup` untimed ones. */
  readonly repeats: number;
  readonly warmup: number;
  readonly include: readonly PeerName[];
  /** Interpreter of the PyTorch peer; default `LOCALGRAD_PYTHON` or `python3`. */
  readonly python?: string;
}

/**
 * What else can be measured with the methods: other implementations, steps that are not recorded (`ordinary`), and the same steps on one
 * thread.
 */
export type PeerName = 'literal' | 'ordinary' | 'one-thread' | 'stock-tape' | PytorchVariant;

/** Ways in which PyTorch runs the same step: eager, compiled by TorchInductor, with channels last, as a CUDA graph. */
export type PytorchVariant = 'pytorch' | 'pytorch-compile' | 'pytorch-channels-last' | 'pytorch-cuda-graphs';
export const pytorchVariants: readonly PytorchVariant[] = [
  'pytorch',
  'pytorch-compile',
  'pytorch-channels-last',
  'pytorch-cuda-graphs',
];
export const peerNames: readonly PeerName[] = ['literal', 'ordinary', 'one-thread', 'stock-tape', ...pytorchVariants];

/** One timed step. */
export interface StepMeasurement {
  readonly milliseconds: number;
  /** Peak bytes of live tensors, including weights, optimizer state and batch; null if they cannot be counted. */
  readonly peakBytes: number | null;
  /** The same without weights, averages, optimizer state and batch. */
  readonly stepBytes: number | null;
}

/** A training procedure with steps that can be timed one by one, so that contestants can take turns. */
export interface Contestant {
  readonly name: string;
  /** Whether every gradient passes through all modules, so that the reference procedure repeats nothing. */
  readonly isEndToEnd?: boolean;
  readonly modules: number;
  readonly backend: string;
  /** Absent for peers, null if the backend has no such choice. */
  readonly relaxedSimd?: boolean | null;
  readonly details: Readonly<Record<string, string | number>>;
  /** Prediction from the plan; peers have none. */
  readonly predicted?: { readonly peakBytes: number; readonly unitsOfWork: number };
  /** The phases that are measured, if training has several. */
  readonly phases?: MeasuredPhases;
  step(): Promise<StepMeasurement>;
  close(): Promise<void>;
}
