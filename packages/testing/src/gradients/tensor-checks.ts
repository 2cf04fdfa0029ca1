import {
  type Block,
  type Clock,
  type Head,
  type Mode,
  type Parameter,
  startOfTraining,
  type Targets,
} from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { randomBatch, randomValues } from '../random-tensors.js';
import { read, take } from '../trial.js';
import { checkGradient, type GradientOptions, norm } from './check-gradient.js';

/** Maximum number of batches to try: a batch may sit on a kink, so one correct batch suffices. */
const attempts = 5;

/** @throws the first attempt's error if all attempts fail */
async function attempt(check: (seed: number) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (let seed = 1; seed <= attempts; seed++) {
    try {
      await check(seed);
      return;
    } catch (failure) {
      failures.push(failure);
    }
  }
  throw failures[0];
}

/** Checks a block's gradients with respect to input and weights. Does not change statistics. @throws Error */
export async function checkBlockGradients(
  block: Block,
  mode: Mode,
  options: GradientOptions & { readonly batch?: number } = {},
): Promise<void> {
  await attempt((seed) => checkBlockOnBatch(block, mode, options, seed));
}

async function checkBlockOnBatch(
  block: Block,
  mode: Mode,
  options: GradientOptions & { readonly batch?: number },
  seed: number,
): Promise<void> {
  const { batch = 3 } = options;
  const quiet = { ...mode, statisticsUpdates: 0 };
  const x = randomBatch(block.inputShape, batch, seed);
  const size = batch * block.outputShape.reduce((product, extent) => product * extent, 1);
  const cotangent = randomValues(size, 2, 'cotangent');
  const pass = block.forward(x, quiet);
  const output = await read(pass.output);
  const dy = tf.tensor4d(cotangent, [batch, ...block.outputShape]);
  const { input, parameters } = block.vjp(pass, dy, { input: true, parameters: true, release: true });
  pass.output.dispose();
  const magnitude = norm(output.map((value, index) => value * (cotangent[index] ?? 0)));

  /** Outputs of one forward pass. */
  const outputsAt = async (image: tf.Tensor4D): Promise<Float32Array> => {
    const one = block.forward(image, quiet);
    one.release();
    const values = await read(one.output);
    one.output.dispose();
    return values;
  };
  const along = (a: Float32Array, b: Float32Array): number => {
    let sum = 0;
    for (let index = 0; index < a.length; index++) {
      sum += ((a[index] ?? 0) - (b[index] ?? 0)) * (cotangent[index] ?? 0);
    }
    return sum;
  };
  const subject = { magnitude, facts: { batch }, options, where: `Block '${block.name}'` };
  try {
    await checkInput(
      subject,
      x,
      input,
      async (values) => {
        const image = tf.tensor4d(values, x.shape);
        const outputs = await outputsAt(image);
        image.dispose();
        return outputs;
      },
      along,
    );
    await checkParameters(subject, block.parameters, parameters, () => outputsAt(x), along);
  } finally {
    tf.dispose([x, ...(input === undefined ? [] : [input]), ...parameters.values()]);
  }
}

/** Options of `checkHeadGradients`. */
export interface HeadGradientOptions extends GradientOptions {
  /** Position in training that the head receives. Default: the start of training. */
  readonly clock?: Clock;
}

/** Checks a head's gradients with respect to input and weights. Does not change statistics. @throws Error */
export async function checkHeadGradients(
  head: Head,
  targets: Targets,
  batch: number,
  mode: Mode,
  options: HeadGradientOptions = {},
): Promise<void> {
  await attempt((seed) => checkHeadOnBatch(head, targets, batch, mode, options, seed));
}

async function checkHeadOnBatch(
  head: Head,
  targets: Targets,
  batch: number,
  mode: Mode,
  options: HeadGradientOptions,
  seed: number,
): Promise<void> {
  const { clock = startOfTraining } = options;
  const quiet = { ...mode, statisticsUpdates: 0 };
  // Not 1, so that a missing factor is detected.
  const weight = 0.5;
  const h = randomBatch(head.inputShape, batch, seed);
  const evaluate = (x: tf.Tensor4D, input: boolean) => head.evaluate(x, targets, { mode: quiet, weight, input, clock });
  const lossAt = async (x: tf.Tensor4D): Promise<Float32Array> => {
    const { loss, terms, parameters, input } = evaluate(x, false);
    tf.dispose([...(terms?.values() ?? []), ...parameters.values(), ...(input === undefined ? [] : [input])]);
    return Float32Array.of(await take(loss));
  };
  const { loss, terms, input, parameters } = evaluate(h, true);
  // A loss is a float32 sum over samples, with several roundings.
  const magnitude = 6 * weight * Math.abs(await take(loss));
  const along = (a: Float32Array, b: Float32Array): number => weight * ((a[0] ?? 0) - (b[0] ?? 0));
  const when = clock.step === 0 ? '' : ` in step ${clock.step} of ${clock.steps}`;
  const subject = { magnitude, facts: { batch, weight }, options, where: `Head '${head.name}'${when}` };
  try {
    await checkInput(
      subject,
      h,
      input,
      async (values) => {
        const x = tf.tensor4d(values, h.shape);
        const found = await lossAt(x);
        x.dispose();
        return found;
      },
      along,
    );
    await checkParameters(subject, head.parameters, parameters, () => lossAt(h), along);
  } finally {
    tf.dispose([h, ...(terms?.values() ?? []), ...(input === undefined ? [] : [input]), ...parameters.values()]);
  }
}

interface Subject {
  readonly where: string;
  readonly magnitude: number;
  readonly facts: { readonly batch?: number; readonly weight?: number };
  readonly options: GradientOptions;
}

type Along = (a: Float32Array, b: Float32Array) => number;

async function checkInput(
  { where, magnitude, facts, options }: Subject,
  x: tf.Tensor4D,
  gradient: tf.Tensor | undefined,
  valuesAt: (input: Float32Array) => Promise<Float32Array>,
  along: Along,
): Promise<void> {
  const at = await read(x);
  if (gradient === undefined)
    throw new Error(`${where}: no cotangent of the input was returned, although it was requested.`);
  const check = {
    label: `${where}, input`,
    shape: x.shape,
    at,
    gradient: await read(gradient),
    magnitude,
    facts,
    difference: async (a: Float32Array, b: Float32Array) => along(await valuesAt(a), await valuesAt(b)),
  };
  await checkGradient(check, options);
}

async function checkParameters(
  { where, magnitude, facts, options }: Subject,
  parameters: readonly Parameter[],
  gradients: ReadonlyMap<Parameter, tf.Tensor>,
  values: () => Promise<Float32Array>,
  along: Along,
): Promise<void> {
  for (const parameter of parameters.filter(({ kind }) => kind === 'weight')) {
    const gradient = gradients.get(parameter);
    const shape = [...parameter.shape];
    const at = await read(parameter.value);
    const valuesAt = async (moved: Float32Array) => {
      parameter.assign(tf.tensor(moved, shape));
      const found = await values();
      parameter.assign(tf.tensor(at, shape));
      return found;
    };
    const check = {
      label: `${where}, weight '${parameter.name}'`,
      shape,
      at,
      magnitude,
      facts,
      // A weight without a gradient is checked as having gradient zero.
      gradient: gradient === undefined ? new Float32Array(at.length) : await read(gradient),
      difference: async (a: Float32Array, b: Float32Array) => along(await valuesAt(a), await valuesAt(b)),
    };
    await checkGradient(check, options);
  }
}
