import {
  at,
  bytesOf,
  endOfTraining,
  evaluationMode,
  formatShape,
  type Head,
  type HeadContext,
  type HeadCost,
  type HeadRequest,
  type HeadResult,
  LocalgradError,
  type Mode,
  moduleInputTarget,
  type NoiseKey,
  type Parameter,
  type ParameterScope,
  rejectUnknownKeys,
  type Shape3,
  sameShape,
  type Targets,
} from '@localgrad/core';
import { addN, mul, type Scalar, type Tensor, type Tensor2D, type Tensor4D, tidy } from '@tensorflow/tfjs';
import { addGradients } from '../blocks/add-gradients.js';
import { Ledger } from '../blocks/ledger.js';
import { gradientBytes } from '../blocks/sequence-cost.js';
import { headCostOf, isCostKnown } from '../cost/cost-of.js';
import { classificationMetrics } from '../losses/classification-metrics.js';
import { crop, joinPatches, type Patch, patchesOf, shapeOf, withPatchTargets } from './patches.js';

/** Options of `patchedHead`. */
export interface PatchedHeadOptions {
  /** Name of the head, for messages, logs and `explain`. */
  readonly name: string;
  /** Patches per side, n; an integer ≥ 1. */
  readonly patches: number;
  /** One network for all patches, or one for each. */
  readonly share: boolean;
  /** How the losses of the n² patches are combined. */
  readonly reduction: 'mean' | 'sum';
  /** Builds the network of one patch; its context contains the shapes of the patch. */
  readonly build: (context: HeadContext, scope: ParameterScope) => Head;
}

/**
 * A head on each of n × n patches of the feature map, with the same patch of every target that has height and width
 * (HPFF, docs/methods/hpff.md §3). One patch is evaluated after the other, so that only its activations are kept. Losses
 * are summed or averaged; class scores are averaged.
 *
 * @throws LocalgradError `shape-mismatch` when the map has fewer than n rows or columns, or, with one network for all
 *   patches, when n does not divide the height and width of the map or of an image that the head reads
 */
export function patchedHead(context: HeadContext, scope: ParameterScope, options: PatchedHeadOptions): Head {
  rejectUnknownKeys('patchedHead', options, ['name', 'patches', 'share', 'reduction', 'build']);
  const { name, patches: count, share, reduction, build } = options;
  const { inputShape } = context;
  checkMap(context, options);
  const contexts = contextsOf(context, count);
  const built = share
    ? [build(at(contexts, 0, 'patch'), scope)]
    : contexts.map((own, index) => build(own, scope.scope(`patch${index}`)));
  const first = at(built, 0, 'head');
  const reads = [...new Set(built.flatMap((head) => head.reads ?? ['labels']))];
  if (share) checkShapes(context, options, reads);
  for (const [index, head] of built.entries()) checkHead(head, at(contexts, index, 'patch'), name);
  const parts = patchesOf(inputShape, count).map((patch, index): Part => {
    return { patch, head: share ? first : at(built, index, 'head'), context: at(contexts, index, 'patch') };
  });
  const scale = reduction === 'sum' ? 1 : 1 / parts.length;

  const evaluate = (h: Tensor4D, targets: Targets, request: HeadRequest): HeadResult => {
    const results = new PatchResults(scale);
    parts.forEach(({ patch, head }, index) => {
      const map = crop(h, patch);
      const mode = patchMode(request.mode, index, parts.length);
      const own = { ...request, mode, weight: request.weight * scale };
      results.add(withPatchTargets(targets, reads, [index, count], (cropped) => head.evaluate(map, cropped, own)));
      map.dispose();
    });
    return results.finish(count);
  };

  const predict = (h: Tensor4D): Tensor => {
    const outputs = parts.map(({ patch, head }) => {
      const map = crop(h, patch);
      const output = head.predict?.(map);
      map.dispose();
      if (output === undefined) throw new LocalgradError('misuse', `head '${name}' makes no predictions.`, { name });
      return output;
    });
    return isMaps(outputs) ? joinPatches(outputs, count) : scaledSum(outputs, 1 / outputs.length);
  };

  const measure = (h: Tensor4D, targets: Targets): ReadonlyMap<string, Scalar> => {
    const request = { mode: evaluationMode, weight: 1, input: false, clock: endOfTraining };
    const { loss, terms } = evaluate(h, targets, request);
    for (const term of terms?.values() ?? []) term.dispose();
    const { labels } = targets;
    const metrics = new Map([['loss', loss]]);
    if (first.predict === undefined || labels === undefined || !reads.includes('labels')) return metrics;
    const scores = predict(h);
    const named = scores.rank === 2 ? classificationMetrics(scores as Tensor2D, labels) : [];
    scores.dispose();
    return new Map([...metrics, ...named]);
  };

  return {
    name,
    inputShape,
    parameters: built.flatMap((head) => head.parameters),
    statistics: built.flatMap((head) => head.statistics),
    ...(built.every(isCostKnown) ? { cost: patchedCost(inputShape, parts) } : {}),
    reads,
    ...(first.termWeights === undefined ? {} : { termWeights: first.termWeights }),
    state: built.flatMap((head) => head.state ?? []),
    averages: built.flatMap((head) => head.averages ?? []),
    evaluate,
    measure,
    ...(first.predict === undefined ? {} : { predict }),
  };
}

interface Part {
  readonly patch: Patch;
  readonly head: Head;
  readonly context: HeadContext;
}

/** The context of each patch: that of the whole map with the shapes of the patch. */
function contextsOf(context: HeadContext, count: number): HeadContext[] {
  const partsOf = (whole: Shape3) => patchesOf(whole, count).map((patch) => shapeOf(patch, whole));
  const [images, inputs] = [partsOf(context.imageShape), partsOf(context.moduleInputShape)];
  return partsOf(context.inputShape).map((inputShape, index) => {
    return {
      ...context,
      inputShape,
      imageShape: at(images, index, 'patch'),
      moduleInputShape: at(inputs, index, 'patch'),
      isPatch: true,
    };
  });
}

function checkMap({ inputShape, module }: HeadContext, { name, patches }: PatchedHeadOptions): void {
  const most = Math.min(inputShape[0], inputShape[1]);
  if (most >= patches) return;
  throw new LocalgradError(
    'shape-mismatch',
    `Head '${name}': ${patches}×${patches} patches, but module ${module} outputs ${formatShape(inputShape)}; allowed: at most ${most} per side.`,
    { patches, module, inputShape },
  );
}

/** One network for all patches requires patches of one shape. */
function checkShapes(context: HeadContext, { name, patches }: PatchedHeadOptions, reads: readonly string[]): void {
  const { module, inputShape, imageShape, moduleInputShape } = context;
  const wholes: readonly (readonly [what: string, isRead: boolean, shape: Shape3])[] = [
    ['the map', true, inputShape],
    ['the image', reads.includes('images'), imageShape],
    ["the module's input", reads.includes(moduleInputTarget), moduleInputShape],
  ];
  for (const [what, isRead, shape] of wholes) {
    if (!isRead || (shape[0] % patches === 0 && shape[1] % patches === 0)) continue;
    const isFit = (count: number) =>
      wholes.every(([, read, [height, width]]) => !read || (height % count === 0 && width % count === 0));
    const allowed = Array.from({ length: Math.min(shape[0], shape[1]) }, (_, index) => index + 1).filter(isFit);
    throw new LocalgradError(
      'shape-mismatch',
      `Head '${name}': ${patches}×${patches} patches of one network must be of equal size, but ${what} ${formatShape(shape)} is not divisible into them; allowed at module ${module}: ${allowed.join(', ')} patches per side.`,
      { patches, module, shape },
    );
  }
}

function checkHead({ name: inner, inputShape }: Head, { inputShape: patch, module }: HeadContext, name: string): void {
  if (sameShape(inputShape, patch)) return;
  throw new LocalgradError(
    'shape-mismatch',
    `Head '${name}': '${inner}' reads ${formatShape(inputShape)} at module ${module}, whatever the size of its input; patches are ${formatShape(patch)}.`,
    { name, inputShape, patch, module },
  );
}

/** Each patch has random numbers of its own. The step is read only when they are drawn: recorded steps watch it. */
function patchMode(mode: Mode, index: number, patches: number): Mode {
  const { noise } = mode;
  if (noise === undefined) return mode;
  const own: NoiseKey = {
    seed: noise.seed,
    part: noise.part * patches + index,
    get step() {
      return noise.step;
    },
  };
  return { ...mode, noise: own };
}

/** Adds up what the patches return. */
class PatchResults {
  readonly #scale: number;
  readonly #losses: Scalar[] = [];
  readonly #terms = new Map<string, Scalar[]>();
  readonly #parameters = new Map<Parameter, Tensor>();
  readonly #inputs: Tensor4D[] = [];

  constructor(scale: number) {
    this.#scale = scale;
  }

  add({ loss, terms, parameters, input }: HeadResult): void {
    this.#losses.push(loss);
    for (const [term, value] of terms ?? []) this.#terms.set(term, [...(this.#terms.get(term) ?? []), value]);
    addGradients(this.#parameters, parameters);
    if (input !== undefined) this.#inputs.push(input);
  }

  /** @param count patches per side */
  finish(count: number): HeadResult {
    const terms = new Map([...this.#terms].map(([name, values]) => [name, scaledSum(values, this.#scale)]));
    return {
      loss: scaledSum(this.#losses, this.#scale),
      ...(terms.size === 0 ? {} : { terms }),
      parameters: this.#parameters,
      ...(this.#inputs.length === 0 ? {} : { input: joinPatches(this.#inputs, count) }),
    };
  }
}

function isMaps(outputs: readonly Tensor[]): outputs is readonly Tensor4D[] {
  return outputs.every(({ rank }) => rank === 4);
}

/** scale · the sum of tensors of one shape, which are consumed. */
function scaledSum<T extends Tensor>(values: readonly T[], scale: number): T {
  const sum = tidy(() => mul<T>(addN<T>([...values]), scale));
  for (const value of values) value.dispose();
  return sum;
}

function patchedCost(inputShape: Shape3, parts: readonly Part[]): HeadCost {
  return {
    get multiplyAccumulates() {
      return parts.reduce((sum, { head }) => sum + headCostOf(head).multiplyAccumulates, 0);
    },
    evaluatePeakBytes: (batchSize) => evaluatePeakBytes(batchSize, inputShape, parts),
  };
}

/** What patches have returned is held while the next one is evaluated; at the end, losses are added up, then inputs' gradients joined. */
function evaluatePeakBytes(batchSize: number, inputShape: Shape3, parts: readonly Part[]): number {
  const ledger = new Ledger();
  const held = new Set<Head>();
  const scalars = 4 * (1 + (parts[0]?.head.termWeights?.size ?? 0));
  for (const { head, context } of parts) {
    const targets = (head.reads ?? []).map((name) => croppedShape(name, context));
    const cropped = [context.inputShape, ...targets].reduce((sum, shape) => sum + bytesOf(shape, batchSize), 0);
    ledger.touch(cropped + headCostOf(head).evaluatePeakBytes(batchSize));
    ledger.take(scalars + bytesOf(context.inputShape, batchSize) + (held.has(head) ? 0 : gradientBytes(head)));
    held.add(head);
  }
  ledger.give((parts.length - 1) * scalars);
  if (parts.length > 1) ledger.touch(bytesOf(inputShape, batchSize));
  return ledger.peak;
}

/** The shape in which a patch has a target; label maps, whatever their name, have one number for each pixel of the image. */
function croppedShape(name: string, { imageShape, moduleInputShape }: HeadContext): Shape3 {
  if (name === 'labels') return [0, 0, 0];
  if (name === 'images') return imageShape;
  return name === moduleInputTarget ? moduleInputShape : [imageShape[0], imageShape[1], 1];
}
