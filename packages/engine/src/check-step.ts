import {
  formatShape,
  type HeadResult,
  LocalgradError,
  type Parameter,
  rejectUnknownKeys,
  requireSynchronous,
  sameShape,
  shown,
} from '@localgrad/core';
import { checkTarget } from '@localgrad/nn/losses';
import * as tf from '@tensorflow/tfjs';
import { checkImages, checkParts } from './check-images.js';
import type { CompiledPlan } from './compile.js';
import { batchTargetsOf, type CompiledHead, headPlace, shapeBetween } from './heads.js';
import type { CompiledPhase } from './phases.js';
import type { Batch, StepOptions } from './step.js';

const stepOptionNames = [
  'clock',
  'headClock',
  'noise',
  'scale',
  'movesAverages',
  'updatesStatistics',
  'onGradients',
] as const satisfies readonly (keyof StepOptions)[];

/** @throws LocalgradError `unknown-name` */
export function checkStepOptions(options: StepOptions): void {
  rejectUnknownKeys('executor.step', options, stepOptionNames);
}

/** @throws LocalgradError `misuse` for a missing target or a wrong type, `shape-mismatch` for wrong shapes */
export function checkBatch({ network, plan, range }: CompiledPlan, { heads }: CompiledPhase, batch: Batch): void {
  checkParts(batch);
  const { images, targets } = batch;
  const [size] = images.shape;
  checkImages(images, shapeBetween(network, range[0] - 1), `A batch for '${plan.method}' on ${network.backbone.name}`);
  if (size === 0) throw new LocalgradError('misuse', `A batch for '${plan.method}' contains no images.`);
  for (const group of heads.values()) {
    for (const compiled of group) {
      for (const name of batchTargetsOf(compiled.head)) {
        const target = targets[name];
        const where = `The ${headPlace(compiled, network)} reads the target '${name}'`;
        const details = { method: plan.method, head: compiled.head.name, module: compiled.module, target: name };
        if (target === undefined) {
          const carried = Object.keys(targets).filter((key) => targets[key] !== undefined);
          throw new LocalgradError(
            'misuse',
            `${where}, which is missing from the batch; its targets: ${carried.join(', ') || 'none'}.`,
            details,
          );
        }
        checkTarget(name, target, `the ${headPlace(compiled, network)}`);
        if (target.shape[0] !== size) {
          throw new LocalgradError(
            'shape-mismatch',
            `${where}, which has ${target.shape[0] ?? 0} entries in this batch of ${size} images.`,
            { ...details, expected: size, found: target.shape[0] },
          );
        }
      }
    }
  }
}

/** The cotangent of a head's input that a result must have. */
export interface ExpectedCotangent {
  readonly shape: readonly number[];
  readonly isRequested: boolean;
}

/** Checks what a head returned. */
function checkResult(
  { network }: CompiledPlan,
  compiled: CompiledHead,
  { shape, isRequested }: ExpectedCotangent,
  result: HeadResult,
): void {
  const { head } = compiled;
  const fail = (problem: string, code: 'misuse' | 'shape-mismatch' = 'misuse'): never => {
    throw new LocalgradError(code, `The ${headPlace(compiled, network)} ${problem}`, {
      head: head.name,
      key: compiled.key,
      module: compiled.module,
    });
  };
  const { loss, input, parameters, terms } = result;
  if (!(loss instanceof tf.Tensor) || loss.rank !== 0) {
    fail(
      `returned ${loss instanceof tf.Tensor ? `a loss of shape [${loss.shape.join(', ')}]` : 'no loss'}; it must be a scalar.`,
    );
  }
  for (const [name, term] of terms ?? []) if (term.rank !== 0) fail(`returned a term '${name}' that is not a scalar.`);
  if (isRequested && input === undefined) fail('returned no cotangent of its input, although one was requested.');
  if (input !== undefined && !sameShape(input.shape, shape)) {
    const [found, expected] = [formatShape(input.shape), formatShape(shape)];
    fail(`returned a cotangent of shape ${found} for an input of shape ${expected}.`, 'shape-mismatch');
  }
  checkGradients(head.parameters, parameters, fail);
}

/** The gradient that a head synthesized. @throws LocalgradError `misuse`, `shape-mismatch` */
export function checkSynthesis(
  { network }: CompiledPlan,
  compiled: Pick<CompiledHead, 'key' | 'module' | 'head'>,
  h: tf.Tensor4D,
  found: tf.Tensor4D | undefined,
): tf.Tensor4D {
  if (found instanceof tf.Tensor && sameShape(found.shape, h.shape)) return found;
  const { key, module, head } = compiled;
  const returned = found instanceof tf.Tensor ? `a tensor of shape ${formatShape(found.shape)}` : shown(found);
  throw new LocalgradError(
    found instanceof tf.Tensor ? 'shape-mismatch' : 'misuse',
    `The ${headPlace(compiled, network)}: synthesize returned ${returned} for an input of shape ${formatShape(h.shape)}; it must return a tensor of that shape.`,
    { head: head.name, key, module },
  );
}

function checkGradients(
  own: readonly Parameter[],
  gradients: ReadonlyMap<Parameter, tf.Tensor>,
  fail: (problem: string, code?: 'misuse' | 'shape-mismatch') => never,
): void {
  for (const [parameter, gradient] of gradients) {
    if (!own.includes(parameter))
      fail(`returned a gradient for '${parameter.name}', which is not one of its parameters.`);
    if (parameter.kind !== 'weight') fail(`returned a gradient for '${parameter.name}', which is not a weight.`);
    if (!sameShape(gradient.shape, parameter.shape)) {
      const [found, expected] = [formatShape(gradient.shape), formatShape(parameter.shape)];
      fail(`returned a gradient of shape ${found} for '${parameter.name}' of shape ${expected}.`, 'shape-mismatch');
    }
  }
  const missing = own.find((parameter) => parameter.kind === 'weight' && !gradients.has(parameter));
  if (missing !== undefined) {
    fail(
      `returned no gradient for its weight '${missing.name}'. Weights that the loss does not use cannot be trained.`,
    );
  }
}

/**
 * Adds key and module to what a head throws. Faults of the backend, such as missing memory, are not the head's.
 */
export function evaluateAt<T>(
  { network }: CompiledPlan,
  compiled: Pick<CompiledHead, 'key' | 'module' | 'head'>,
  evaluate: () => T,
): T {
  try {
    return evaluate();
  } catch (error) {
    if (!LocalgradError.isInstance(error) || !(error.code === 'misuse' || error.code === 'shape-mismatch')) throw error;
    const { key, module, head } = compiled;
    const details = { ...error.details, head: head.name, key, module };
    const message = `The ${headPlace(compiled, network)} failed. ${error.message}`;
    throw new LocalgradError(error.code, message, details, { cause: error });
  }
}

/** Evaluates a head, checks its result, and reports tensor leaks. */
export function evaluateChecked(
  plan: CompiledPlan,
  compiled: CompiledHead,
  cotangent: ExpectedCotangent,
  evaluate: () => HeadResult,
): HeadResult {
  const before = tf.memory().numTensors;
  const result = evaluate();
  requireSynchronous(result, `The ${headPlace(compiled, plan.network)}: evaluate`);
  const alive = tf.memory().numTensors;
  checkResult(plan, compiled, cotangent, result);
  const returned = new Set<tf.Tensor>([result.loss, ...(result.terms?.values() ?? []), ...result.parameters.values()]);
  if (result.input !== undefined) returned.add(result.input);
  const leaked = alive - before - returned.size;
  if (leaked > 0) {
    throw new LocalgradError(
      'misuse',
      `The ${headPlace(compiled, plan.network)} leaks ${leaked} ${leaked === 1 ? 'tensor' : 'tensors'} per evaluation; dispose them or use tf.tidy.`,
      { head: compiled.head.name, module: compiled.module, leaked },
    );
  }
  return result;
}
