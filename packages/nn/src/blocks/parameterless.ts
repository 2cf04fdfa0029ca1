import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  rejectUnknownKeys,
  type Shape3,
  type Want,
} from '@localgrad/core';
import type { Tensor4D } from '@tensorflow/tfjs';
import { vjpPeaks } from '../cost/vjp-peaks.js';
import { evaluationPass, TrainingPass } from './pass.js';
import type { FrugalBlock, VjpReads } from './vjp-reads.js';
import type { MeansBlock, VjpToMeans } from './window-means.js';

/** A function of a feature map, with its derivative. */
export interface ParameterlessOptions {
  /** Name of the block, unique in its network. */
  readonly name: string;
  /** Shape [height, width, channels] of one sample's input. */
  readonly inputShape: Shape3;
  /** Shape [height, width, channels] of one sample's output. */
  readonly outputShape: Shape3;
  /** Borrows x; the result belongs to the caller. */
  readonly apply: (x: Tensor4D) => Tensor4D;
  /** Consumes dy; borrows input and output, of which only those listed in `reads` are guaranteed to be alive. */
  readonly pullBack: (dy: Tensor4D, input: Tensor4D, output: Tensor4D) => Tensor4D;
  /** The tensors that `pullBack` reads, besides shapes. Default: both. */
  readonly reads?: VjpReads;
  /** Whether the function is means over windows that fill the map without gaps. Default false. */
  readonly isMeans?: boolean;
  /** Whether output and input share a buffer, and their cotangents as well. Default false. */
  readonly isView?: boolean;
  /**
   * Whether `pullBack` holds dy unchanged up to its last allocation, so that its peak is the same where dy's buffer is shared.
   * Default false: where it is shared, its bytes are added to the predicted peak. A function where the backend's kernels decide.
   */
  readonly holdsCotangent?: boolean | (() => boolean);
  /** Multiply-accumulates per sample. Default 0. */
  readonly multiplyAccumulates?: number;
  /** Peak bytes of `apply`, including its output. */
  readonly applyPeakBytes: (batchSize: number) => number;
  /** Peak bytes of `pullBack` beyond dy. */
  readonly pullBackPeakBytes: (batchSize: number) => number;
}

const optionNames = [
  'name',
  'inputShape',
  'outputShape',
  'apply',
  'pullBack',
  'reads',
  'isMeans',
  'isView',
  'holdsCotangent',
  'multiplyAccumulates',
  'applyPeakBytes',
  'pullBackPeakBytes',
] as const satisfies readonly (keyof ParameterlessOptions)[];

/** A block without parameters or residuals. */
export function parameterless(options: ParameterlessOptions): Block {
  rejectUnknownKeys('parameterless', options, optionNames);
  return new Parameterless(options);
}

class Parameterless implements FrugalBlock, MeansBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[] = [];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly isView: boolean;
  readonly toMeans?: VjpToMeans;
  readonly #options: ParameterlessOptions;

  constructor(options: ParameterlessOptions) {
    this.name = options.name;
    this.inputShape = options.inputShape;
    this.outputShape = options.outputShape;
    this.vjpReads = options.reads ?? { input: true, output: true };
    this.#options = options;
    const { isView = false, holdsCotangent = false } = options;
    this.isView = isView;
    const isHeld = () => (typeof holdsCotangent === 'function' ? holdsCotangent() : holdsCotangent);
    const peaks = vjpPeaks((batchSize, want, isShared) => {
      if (!want.input) return 0;
      return (
        options.pullBackPeakBytes(batchSize) + (isShared && !isHeld() ? bytesOf(options.outputShape, batchSize) : 0)
      );
    });
    this.cost = {
      multiplyAccumulates: options.multiplyAccumulates ?? 0,
      residualBytes: () => 0,
      forwardPeakBytes: options.applyPeakBytes,
      ...peaks,
    };
    if (options.isMeans === true) {
      this.toMeans = {
        shape: options.outputShape,
        vjp: (pass, dy, want) => this.#pullBack(pass, dy, want, (cotangent) => cotangent),
        peakBytes: () => 0,
      };
    }
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const output = this.#options.apply(x);
    return mode.training ? new TrainingPass(this, x, output, null, () => {}) : evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    return this.#pullBack(pass, dy, want, this.#options.pullBack);
  }

  replicate(_scope: ParameterScope): Block {
    return new Parameterless(this.#options);
  }

  #pullBack(pass: Pass, dy: Tensor4D, want: Want, pullBack: ParameterlessOptions['pullBack']): Cotangents {
    TrainingPass.open<null>(this, pass, want.release);
    if (want.input) return { input: pullBack(dy, pass.input, pass.output), parameters: new Map() };
    dy.dispose();
    return { parameters: new Map() };
  }
}
