import {
  type Block,
  type BlockCost,
  bytesOf,
  type Cotangents,
  type Mode,
  type Parameter,
  type ParameterScope,
  type Pass,
  type Shape3,
  type Targets,
  type Want,
} from '@localgrad/core';
import { dense, evaluationPass, Ledger, TrainingPass } from '@localgrad/nn/blocks';
import { costOf } from '@localgrad/nn/cost';
import type { SynthesisCondition } from '@localgrad/nn/heads';
import { requireTarget } from '@localgrad/nn/losses';
import * as tf from '@tensorflow/tfjs';

export interface ClassContextOptions {
  readonly name: string;
  /** Scope of `weight` [classes, channels] and `bias` [channels]. */
  readonly scope: ParameterScope;
  readonly inputShape: Shape3;
  readonly classes: number;
}

/**
 * Adds to every pixel of a map a trained vector of the sample's class, so that blocks after it are conditioned on the labels
 * (cDNI: Jaderberg et al., ICML 2017, §3.1).
 */
export class ClassContext implements Block, SynthesisCondition {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[] = [];
  readonly cost: BlockCost;
  readonly reads = ['labels'];
  readonly #options: ClassContextOptions;
  readonly #embedding: Block;
  #targets: Targets | undefined;

  constructor(options: ClassContextOptions) {
    const { name, scope, inputShape, classes } = options;
    this.#options = options;
    this.name = name;
    this.inputShape = inputShape;
    this.outputShape = inputShape;
    this.#embedding = dense({ name, scope, inputShape: [1, 1, classes], units: inputShape[2] });
    this.parameters = this.#embedding.parameters;
    this.cost = costOfContext(this.#embedding, inputShape);
  }

  use(targets: Targets | undefined): void {
    this.#targets = targets;
  }

  forward(x: tf.Tensor4D, mode: Mode): Pass {
    const labels = requireTarget(this.#targets ?? {}, 'labels', `block '${this.name}'`);
    const classes = tf.tidy(() =>
      tf.reshape<tf.Rank.R4>(tf.oneHot(labels, this.#options.classes, 1, 0, 'float32'), [
        labels.shape[0],
        1,
        1,
        this.#options.classes,
      ]),
    );
    const pass = this.#embedding.forward(classes, mode);
    const output = tf.add<tf.Tensor4D>(x, pass.output);
    pass.output.dispose();
    const release = () => {
      pass.release();
      classes.dispose();
    };
    if (mode.training) return new TrainingPass(this, x, output, pass, release);
    release();
    return evaluationPass(x, output);
  }

  vjp(pass: Pass, dy: tf.Tensor4D, want: Want): Cotangents {
    const own = TrainingPass.open<Pass>(this, pass, want.release);
    let parameters: Cotangents['parameters'] = new Map();
    if (want.parameters) {
      const sums = tf.sum<tf.Tensor4D>(dy, [1, 2], true);
      parameters = this.#embedding.vjp(own, sums, { ...want, input: false }).parameters;
    }
    if (want.release) {
      own.release();
      own.input.dispose();
    }
    if (want.input) return { input: dy, parameters };
    dy.dispose();
    return { parameters };
  }

  replicate(scope: ParameterScope): Block {
    return new ClassContext({ ...this.#options, scope });
  }
}

function costOfContext(embedding: Block, shape: Shape3): BlockCost {
  const oneHotBytes = (batchSize: number) => bytesOf(embedding.inputShape, batchSize);
  const vectorBytes = (batchSize: number) => bytesOf(embedding.outputShape, batchSize);
  return {
    get multiplyAccumulates() {
      return costOf(embedding).multiplyAccumulates;
    },
    residualBytes: oneHotBytes,
    forwardPeakBytes: (batchSize) => {
      const ledger = new Ledger();
      ledger.take(oneHotBytes(batchSize));
      ledger.touch(costOf(embedding).forwardPeakBytes(batchSize));
      ledger.take(vectorBytes(batchSize) + bytesOf(shape, batchSize));
      return ledger.peak;
    },
    vjpPeakBytes: (batchSize, want) => {
      if (!want.parameters) return 0;
      return vectorBytes(batchSize) + costOf(embedding).vjpPeakBytes(batchSize, { ...want, input: false });
    },
  };
}
