import { cifarResNet } from '@localgrad/backbones';
import {
  type BackboneFactory,
  buildBackbone,
  type Clock,
  classifierObjective,
  clockAt,
  createNetwork,
  finalObjective,
  type JsonValue,
  type LocalLearningMethod,
  type Network,
  type Optimizer,
  planOf,
  resolvePartition,
  startOfTraining,
  type TrainingPlan,
} from '@localgrad/core';
import {
  type CompiledPlan,
  compilePlan,
  createExecutor,
  createLiteralExecutor,
  createTrainStep,
  predict,
} from '@localgrad/engine';
import { sgd } from '@localgrad/nn/optimizers';
import { createRandom, createScope } from '@localgrad/nn/random';
import * as tf from '@tensorflow/tfjs';

/** Image shape and number of classes of the trials. */
export const imageShape = [8, 8, 3] as const;
export const classes = 4;

/** A small residual network: seven distinguishable blocks in three stages. */
export const trialBackbone: BackboneFactory = cifarResNet({ depth: 14, widths: [4, 4, 8, 8] });

/** A deep network for memory predictions. */
export const deepBackbone: BackboneFactory = cifarResNet({ depth: 32, width: 8 });

/** End-to-end training as the reference. */
export const endToEnd: LocalLearningMethod = {
  specVersion: 'v1',
  name: 'end-to-end',
  config: { method: 'end-to-end' },
  plan: ({ modules }) => ({ method: 'end-to-end', objectives: [finalObjective(modules.length, 0)], hooks: [] }),
};

export interface TrialOptions {
  readonly modules?: number;
  readonly seed?: number;
  readonly backbone?: BackboneFactory;
  /** Changes the plan before it is compiled. */
  readonly rewrite?: (plan: TrainingPlan) => TrainingPlan;
}

export interface Trial {
  readonly network: Network;
  readonly compiled: CompiledPlan;
  dispose(): void;
}

/** Creates a network and compiles a method's plan; equal seeds yield equal weights. */
export function createTrial(method: LocalLearningMethod, options: TrialOptions = {}): Trial {
  const { modules = 4, seed = 1, backbone = trialBackbone, rewrite } = options;
  const scope = createScope(seed);
  const built = buildBackbone(backbone, { inputShape: imageShape, classes, scope });
  const network = createNetwork(built, resolvePartition(built.blocks, { modules }));
  const plan = planOf(method, network);
  const compiled = compilePlan(network, rewrite === undefined ? plan : rewrite(plan), { scope });
  const dispose = () => {
    for (const parameter of scope.all().values()) parameter.dispose();
  };
  return { network, compiled, dispose };
}

export interface TrialBatch {
  readonly images: tf.Tensor4D;
  readonly targets: { readonly labels: tf.Tensor1D; readonly images: tf.Tensor4D };
}

/**
 * Creates images of one pattern per class with noise, which are almost linearly separable. The caller owns the tensors.
 */
export function createTrialBatch(seed: number, size = 16): TrialBatch {
  const patterns = createRandom(77, 'patterns');
  const pixels = imageShape[0] * imageShape[1] * imageShape[2];
  const means = Array.from({ length: classes }, () => Array.from({ length: pixels }, () => patterns.normal()));
  const random = createRandom(seed, 'batch');
  const labels = Int32Array.from({ length: size }, (_, index) => index % classes);
  const values = Float32Array.from(
    { length: size * pixels },
    (_, index) => (means[labels[Math.floor(index / pixels)] as number]?.[index % pixels] ?? 0) + 0.7 * random.normal(),
  );
  const images = tf.tensor4d(values, [size, ...imageShape]);
  return { images, targets: { labels: tf.tensor1d(labels, 'int32'), images: tf.sigmoid(images) } };
}

export function disposeBatch({ images, targets }: TrialBatch): void {
  tf.dispose([images, ...Object.values(targets)]);
}

/** Tensor values by name. */
export type Readings = ReadonlyMap<string, Float32Array>;

export interface StepReadings {
  readonly losses: Readings;
  readonly gradients: Readings;
}

export interface StepReadingOptions {
  readonly procedure?: 'engine' | 'literal';
  readonly clock?: Clock;
}

/** Runs one step without an optimizer, with the engine or with the reference procedure. */
export async function readStep(
  { compiled }: Trial,
  batch: TrialBatch,
  { procedure = 'engine', clock = startOfTraining }: StepReadingOptions = {},
): Promise<StepReadings> {
  const gradients = new Map<string, tf.Tensor>();
  const executor = procedure === 'engine' ? createExecutor(compiled) : createLiteralExecutor(compiled);
  const { losses, terms } = executor.step(batch, {
    clock,
    onGradients: (group) => {
      for (const { parameter, gradient } of group) gradients.set(parameter.name, gradient);
    },
  });
  const readings = { losses: await readAll(losses), gradients: await readAll(gradients) };
  tf.dispose([...losses.values(), ...terms.values(), ...gradients.values()]);
  return readings;
}

/** Reads a tensor's values; asynchronous, because WebGPU has no synchronous read. */
export async function read(tensor: tf.Tensor): Promise<Float32Array> {
  return Float32Array.from(await tensor.data());
}

export async function readAll(tensors: Iterable<readonly [string, tf.Tensor]>): Promise<Readings> {
  const readings = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) readings.set(name, await read(tensor));
  return readings;
}

/** Reads and disposes a scalar. */
export async function take(scalar: tf.Tensor): Promise<number> {
  const [value = Number.NaN] = await scalar.data();
  scalar.dispose();
  return value;
}

export interface Training {
  /** The classifier's loss in each step; undefined in phases that do not train it. */
  readonly losses: readonly (number | undefined)[];
  /** Sum of all losses in each step. */
  readonly totals: readonly number[];
  /** Number of tensors alive after each step, without the optimizer's state, which grows when a phase trains new weights. */
  readonly tensors: readonly number[];
  /** Weights, averages and statistics at the end. */
  readonly parameters: Readings;
  /** The optimizer's state at the end. */
  readonly optimizer: Readings;
  /** Plain values of the plan's state at the end. */
  readonly state: Readonly<Record<string, JsonValue>>;
  /** Accuracy of the plain backbone on held-out images. */
  readonly accuracy: number;
}

export interface TrainOptions {
  /** Steps of the whole run; default `last`. */
  readonly steps?: number;
  /** Checkpoint of an interrupted run, which resumes after step `step`. */
  readonly resume?: Pick<Training, 'parameters' | 'optimizer' | 'state'> & { readonly step: number };
  /** Called after each step. */
  readonly between?: () => void;
  /** Default: SGD with rate 0.05 and momentum 0.9. */
  readonly optimizer?: (() => Optimizer) | undefined;
}

/** Trains up to step `last`, hooks included. */
export async function trainTrial(
  { compiled, network }: Trial,
  last: number,
  options: TrainOptions = {},
): Promise<Training> {
  const { steps = last, resume, optimizer: create = () => sgd({ learningRate: 0.05, momentum: 0.9 }) } = options;
  const optimizer = create();
  if (resume !== undefined) restore(compiled, optimizer, resume);
  const trainStep = createTrainStep({ compiled, optimizer });
  const losses: (number | undefined)[] = [];
  const totals: number[] = [];
  const tensors: number[] = [];
  for (let step = (resume?.step ?? 0) + 1; step <= last; step++) {
    const batch = createTrialBatch(step);
    const result = trainStep.run(batch, clockAt(step - 1, 1, steps));
    const final = result.losses.get(classifierObjective(compiled.objectives)?.id ?? '');
    losses.push(final === undefined ? undefined : (await final.data())[0]);
    const all = await readAll(result.losses);
    totals.push([...all.values()].reduce((sum, [value = Number.NaN]) => sum + value, 0));
    tf.dispose([...result.losses.values(), ...result.terms.values()]);
    disposeBatch(batch);
    options.between?.();
    tensors.push(tf.memory().numTensors - optimizer.state().size);
  }
  const parameters = await readAll([...compiled.parameters].map(([name, { value }]) => [name, value] as const));
  const state = await readAll(optimizer.state());
  optimizer.dispose();
  const batch = createTrialBatch(10_000, 64);
  const scores = predict(network, batch.images);
  const best = tf.argMax(scores, 1);
  const found = await read(best);
  const wanted = await read(batch.targets.labels);
  tf.dispose([scores, best]);
  disposeBatch(batch);
  const correct = wanted.filter((label, index) => label === found[index]).length;
  return {
    losses,
    totals,
    tensors,
    parameters,
    optimizer: state,
    state: compiled.state.values(),
    accuracy: correct / wanted.length,
  };
}

function restore(
  { parameters, state }: CompiledPlan,
  optimizer: Optimizer,
  saved: Pick<Training, 'parameters' | 'optimizer' | 'state'>,
): void {
  const shapeOf = (name: string) => [...(parameters.get(name)?.shape ?? [])];
  const parameterOf = (key: string) => key.slice(key.indexOf('/') + 1);
  for (const [name, values] of saved.parameters) parameters.get(name)?.assign(tf.tensor(values, shapeOf(name)));
  const slots = [...saved.optimizer].map(([key, values]) => {
    const shape = shapeOf(parameterOf(key));
    // Counts of steps have no axes.
    const isCount = values.length === 1 && shape.some((extent) => extent !== 1);
    return [key, tf.tensor(values, isCount ? [] : shape)] as const;
  });
  optimizer.load(new Map(slots));
  state.restore(JSON.parse(JSON.stringify(saved.state)));
}

/** Norm of the difference, relative to the norm of `wanted`. */
export function distance(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let squares = 0;
  let differences = 0;
  for (let index = 0; index < wanted.length; index++) {
    squares += (wanted[index] as number) ** 2;
    differences += ((wanted[index] as number) - (found[index] ?? Number.NaN)) ** 2;
  }
  return Math.sqrt(differences) / Math.max(Math.sqrt(squares), 1e-30);
}

export function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}
