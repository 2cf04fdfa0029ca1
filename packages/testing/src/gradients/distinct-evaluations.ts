import type { Clock, Head, Mode, Targets } from '@localgrad/core';
import * as tf from '@tensorflow/tfjs';
import { randomBatch } from '../random-tensors.js';
import { read } from '../trial.js';

/** Seeds of the batches on which evaluations are compared. */
const seeds = [1, 2] as const;

/** Where in training, and in which mode, a head is evaluated. */
export interface Evaluation {
  readonly mode: Mode;
  readonly clock: Clock;
}

/**
 * The evaluations whose losses or gradients differ from those of all earlier ones. Most heads depend neither on the
 * clock nor on noise: their gradients are the same function at all times, and need one comparison with finite
 * differences.
 */
export async function distinctEvaluations(
  head: Head,
  targets: Targets,
  batch: number,
  evaluations: readonly Evaluation[],
): Promise<readonly Evaluation[]> {
  const distinct: { evaluation: Evaluation; results: Results }[] = [];
  for (const evaluation of evaluations) {
    const results = await resultsOf(head, targets, batch, evaluation);
    if (!distinct.some((earlier) => areEqual(earlier.results, results))) distinct.push({ evaluation, results });
  }
  return distinct.map(({ evaluation }) => evaluation);
}

/** Values of tensors in the order in which a head returns them. */
type Results = readonly Float32Array[];

/** Losses and gradients of a few batches. Does not change statistics. */
async function resultsOf(head: Head, targets: Targets, batch: number, { mode, clock }: Evaluation): Promise<Results> {
  const found: Float32Array[] = [];
  for (const seed of seeds) {
    const h = randomBatch(head.inputShape, batch, seed);
    const request = { mode: { ...mode, statisticsUpdates: 0 }, weight: 1, input: true, clock };
    const { loss, terms, input, parameters } = head.evaluate(h, targets, request);
    const results = [loss, ...(input === undefined ? [] : [input]), ...parameters.values()];
    for (const tensor of results) found.push(await read(tensor));
    tf.dispose([h, ...results, ...(terms?.values() ?? [])]);
  }
  return found;
}

function areEqual(a: Results, b: Results): boolean {
  return (
    a.length === b.length &&
    a.every((values, index) => {
      const others = b[index];
      return values.length === others?.length && values.every((value, at) => Object.is(value, others[at]));
    })
  );
}
