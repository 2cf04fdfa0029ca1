import { evaluationMode, type Head, recomputeMode, startOfTraining, type Targets } from '@localgrad/core';
import type { CompiledPlan } from '@localgrad/engine';
import { measuredHeadCost } from '@localgrad/nn/cost';
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { randomBatch } from './random-tensors.js';
import { createTrialBatch, readAll, type Trial } from './trial.js';

const size = 8;
/** Backends whose kernels need no temporary tensors. Declared bytes are those of their steps; on others, steps need more. */
const withoutTemporaries: ReadonlySet<string> = new Set(['wasm', 'webgpu']);

/** A head of a plan with targets of any batch size. */
interface Placed {
  readonly head: Head;
  /** Owned by the caller. */
  targets(batchSize: number): Targets;
}

function headsOf({ modules, heads }: CompiledPlan): readonly Placed[] {
  return [...heads.values()].flat().map(({ head, module }) => ({
    head,
    targets: (batchSize) => {
      const { images, targets } = createTrialBatch(2, batchSize);
      images.dispose();
      const shape = modules[module]?.inputShape ?? head.inputShape;
      const outputGradient = randomBatch(head.inputShape, batchSize, 4);
      return { ...targets, moduleInput: randomBatch(shape, batchSize, 3), outputGradient };
    },
  }));
}

function disposeTargets(targets: Targets): void {
  tf.dispose(Object.values(targets).filter((target) => target !== undefined));
}

/**
 * Compares each declared cost with the measured one. Memory may be an upper bound, of at most twice the measured bytes.
 *
 * @param tolerance largest relative difference
 */
export function expectMeasuredCosts({ compiled }: Trial, tolerance: number): void {
  for (const { head, targets } of headsOf(compiled)) {
    const declared = head.cost;
    if (declared === undefined) continue;
    const measured = measuredHeadCost(head, targets);
    const compare = (what: string, stated: number, found: number, most: number) => {
      const label = `head '${head.name}': ${what}, ${stated} declared, ${found} measured`;
      expect(stated - found, label).toBeGreaterThanOrEqual(-tolerance * Math.max(1, found));
      expect(stated, label).toBeLessThanOrEqual(most);
    };
    const { multiplyAccumulates } = measured;
    const mostOperations = multiplyAccumulates + tolerance * Math.max(1, multiplyAccumulates);
    compare('multiplyAccumulates', declared.multiplyAccumulates, multiplyAccumulates, mostOperations);
    if (!withoutTemporaries.has(tf.getBackend())) continue;
    const bytes = measured.evaluatePeakBytes(size);
    // An upper bound may count tensors that are not alive together.
    compare(`evaluatePeakBytes(${size})`, declared.evaluatePeakBytes(size), bytes, 2 * bytes);
    const synthesis = measured.synthesizePeakBytes?.(size);
    const stated = declared.synthesizePeakBytes?.(size);
    if (synthesis === undefined || stated === undefined) continue;
    compare(`synthesizePeakBytes(${size})`, stated, synthesis, 2 * synthesis);
  }
}

/**
 * Checks that heads which measure an accuracy predict one score per class: of others, the accuracy would compare labels with channels.
 */
export function expectClassScores({ compiled }: Trial): void {
  const { classes } = compiled.network.backbone;
  for (const { head, targets: create } of headsOf(compiled)) {
    if (head.predict === undefined) continue;
    const [h, targets] = [randomBatch(head.inputShape, size, 5), create(size)];
    const metrics = head.measure?.(h, targets) ?? new Map<string, tf.Scalar>();
    const scores = head.predict(h);
    if (metrics.has('accuracy')) {
      const label = `head '${head.name}' measures an accuracy: shape of its predictions, [batch, classes]`;
      expect(scores.shape, label).toEqual([size, classes]);
    }
    tf.dispose([h, scores, ...metrics.values()]);
    disposeTargets(targets);
  }
}

/** Evaluates, measures and predicts with every head as between two epochs. Results are discarded. */
export function evaluateHeads({ compiled }: Trial): void {
  for (const { head, targets: create } of headsOf(compiled)) {
    const [h, targets] = [randomBatch(head.inputShape, size, 5), create(size)];
    for (const mode of [evaluationMode, recomputeMode]) evaluate(head, h, targets, mode);
    tf.dispose([...(head.measure?.(h, targets).values() ?? [])]);
    head.predict?.(h).dispose();
    synthesize(head, h, targets);
    h.dispose();
    disposeTargets(targets);
  }
}

function evaluate(head: Head, h: tf.Tensor4D, targets: Targets, mode: typeof evaluationMode): void {
  const request = { mode, weight: 1, input: true, clock: startOfTraining };
  const { loss, terms, input, parameters } = head.evaluate(h, targets, request);
  tf.dispose([loss, ...(terms?.values() ?? []), ...(input === undefined ? [] : [input]), ...parameters.values()]);
}

function synthesize(head: Head, h: tf.Tensor4D, targets: Targets): void {
  head.synthesize?.(h, targets, { mode: recomputeMode, weight: 1, clock: startOfTraining }).dispose();
}

/** Checks that evaluation without an update of statistics changes no tensor of a head, nor its input and targets. */
export async function expectUnchangedByEvaluation(trial: Trial): Promise<void> {
  for (const { head, targets: create } of headsOf(trial.compiled)) {
    const [h, targets] = [randomBatch(head.inputShape, size, 5), create(size)];
    const owned = [...head.parameters, ...head.statistics, ...(head.state ?? [])];
    const given = Object.entries({ input: h, ...targets }).flatMap(([name, tensor]) =>
      tensor === undefined ? [] : [[name, tensor] as const],
    );
    const readings = async () => ({
      own: await readAll(owned.map(({ name, value }) => [name, value] as const)),
      given: await readAll(given),
    });
    const before = await readings();
    const acts: Readonly<Record<string, () => void>> = {
      'evaluate in evaluation mode': () => evaluate(head, h, targets, evaluationMode),
      'evaluate without statistics': () => evaluate(head, h, targets, recomputeMode),
      measure: () => tf.dispose([...(head.measure?.(h, targets).values() ?? [])]),
      predict: () => head.predict?.(h).dispose(),
      synthesize: () => synthesize(head, h, targets),
    };
    for (const [label, act] of Object.entries(acts)) {
      const tensors = tf.memory().numTensors;
      act();
      expect(tf.memory().numTensors, `head '${head.name}': tensors after '${label}'`).toBe(tensors);
      expect(await readings(), `head '${head.name}' after '${label}'`).toEqual(before);
    }
    h.dispose();
    disposeTargets(targets);
  }
}
